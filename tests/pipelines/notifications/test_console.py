"""The console: one line for each message, whatever the text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.contracts.channels import ConsoleEntry
from pipelines.notifications.channels import make_channel
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.settings import Settings
from tests.pipelines.notifications.messages import LINK, OPENED, digest, hostile, huge, message


def _lines(sent: Message) -> list[str]:
    lines: list[str] = []
    channel = make_channel("it", ConsoleEntry(type="console"), Settings(), console=lines.append)
    assert channel.send(sent) == Answer(Verdict.DELIVERED, "printed")
    channel.close()
    return lines


def test_an_incident_is_one_line() -> None:
    assert _lines(OPENED) == [
        "drift 8a1f00c2d4e5b697 critical open · refund-desk · lookup_order fails in 31 % of its calls, before in 2 %"
    ]
    assert _lines(message(occasion="escalated"))[0].endswith(" · escalated")


def test_a_digest_lists_its_items() -> None:
    assert _lines(digest())[1:] == [f"  critical · refund-desk · finding {number}" for number in range(3)]


def test_hostile_text_moves_no_cursor_and_makes_no_line() -> None:
    [line] = _lines(hostile())
    assert "\x1b" not in line and "\n" not in line and "\u202e" not in line


def test_a_long_message_is_cut_with_the_link() -> None:
    line, more = _lines(huge())
    assert len(line) < 500
    assert more == f"  … more: {LINK}"


def test_without_a_console_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    make_channel("it", ConsoleEntry(type="console"), Settings()).send(OPENED)
    assert "lookup_order" in capsys.readouterr().err


def test_a_console_loads_no_other_channel() -> None:
    program = (
        "import sys; from pipelines.contracts.channels import ConsoleEntry; from pipelines.settings import Settings\n"
        "from pipelines.notifications.channels import make_channel\n"
        "make_channel('it', ConsoleEntry(type='console'), Settings())\n"
        "print([name for name in ('apprise', 'requests', 'kafka', 'smtplib') if name in sys.modules])"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""The subscriptions file: what it may say, and a mistake is one line with file, line and what is allowed."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.contracts.subscriptions import load_subscriptions
from pipelines.errors import TerminalError
from pipelines.notifications.opening import subscriptions_of
from pipelines.settings import Settings

EXAMPLE = Path(__file__).resolve().parents[3] / "subscriptions.example.yaml"
HEAD = "version: 1\nchannels: {chat: {type: console}}\nsubscriptions:\n"


def written(folder: Path, text: str) -> Path:
    file = folder / "subscriptions.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_example_holds_and_means_what_it_says() -> None:
    found = load_subscriptions(EXAMPLE)
    refunds = found.subscriptions["refunds"]
    assert refunds.renotify == timedelta(hours=4) and refunds.to == ("platform-chat",)
    assert refunds.quiet_hours and (refunds.quiet_hours.start, refunds.quiet_hours.end) == (time(22), time(7))
    assert refunds.escalate and refunds.escalate.after == timedelta(minutes=30)
    assert found.subscriptions["money"].time_zone.key == "Europe/Zurich"


def test_without_a_file_the_console_and_the_topic_hear_of_every_incident() -> None:
    with_topic = subscriptions_of(Settings(), with_topic=True).subscriptions["default"]
    assert with_topic.to == ("console", "kafka") and with_topic.every
    assert subscriptions_of(Settings(), with_topic=False).subscriptions["default"].to == ("console",)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("  a: {to: mail}", 4, "no channel 'mail'|use one of chat"),
        ("  a:\n    to: chat\n    escalate: {after: 5m, to: pager}", 6, "no channel 'pager'"),
        ("  a: {to: chat, renotify: 4}", 4, "renotify is '4'|give a length of time"),
        ("  a: {to: chat, renotify: 0h}", 4, "give a length of time"),
        ("  a: {to: chat, digest: weekly}", 4, "digest is 'weekly'|'hourly' or 'daily'"),
        ("  a: {to: chat, time_zone: Mars}", 4, "time_zone is 'Mars'|give a time zone"),
        ("  a: {to: chat, time_zone: ../../etc/passwd}", 4, "give a time zone"),
        ("  a: {to: chat, digest_at: 25.00}", 4, "give a time of day"),
        ("  a: {to: chat, match: {familly: cost}}", 4, "unknown key 'familly'|allowed: workflow, family, kind"),
        ("  a: {to: chat, match: {family: money}}", 4, "'data', 'behavior'"),
        ("  a: {to: []}", 4, "to is"),
        ("  a: {}", 4, "'to' is missing"),
        ("  a: {to: chat, every: true, digest: daily}", 4, "every tells each change at once"),
        ("  a: {to: chat, rate_limit: {messages: 0, per: 1h}}", 4, "messages is '0'"),
        (
            '  a: {to: chat, quiet_hours: {start: "22:00", end: "22:00", time_zone: UTC}}',
            4,
            "start and end are the same",
        ),
        ("  a: {to: chat}\n  a: {to: chat}", 5, "given twice"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(text: str, line: int, says: str, tmp_path: Path) -> None:
    file = written(tmp_path, HEAD + text + "\n")
    with pytest.raises(TerminalError) as caught:
        load_subscriptions(file)
    told = str(caught.value)
    assert f"{file}:{line}" in told and "\n" not in told
    assert all(part in told for part in says.split("|")), told


def test_check_and_list_say_what_holds(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = written(
        tmp_path, HEAD.replace("}}", "}, spare: {type: console}}") + "  a: {to: chat, match: {workflow: desk*}}\n"
    )
    assert main(["subscriptions", "check", str(file)]) == 0
    assert capfd.readouterr().out == f"{file}: 2 channels, 1 subscription\nno subscription names spare\n"
    assert main(["subscriptions", "check", str(tmp_path / "none.yaml")]) == 1
    assert "cannot read the subscriptions file" in capfd.readouterr().err
    assert main(["subscriptions", "list", "--format", "csv"]) == 0
    assert 'default,"kind drift, operation",console (console), kafka (kafka)' in capfd.readouterr().out.replace(
        '"console (console), kafka (kafka)"', "console (console), kafka (kafka)"
    )

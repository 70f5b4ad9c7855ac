"""`plumbline dead-letters` on real bytes, hostile ones included."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.checks import examine
from pipelines.cli import main
from pipelines.settings import Settings
from tests.pipelines.dead_letters.test_replay import before_the_fix, unreadable

HOSTILE = '{"resourceSpans": "\x1b[31m[bold]red[/bold]\u202e'


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with four dead letters, of which the first can be read again."""
    lines, records = tmp_path / "lines.jsonl", tmp_path / "records.binpb"
    lines.write_bytes(unreadable(1) + b"\n" + HOSTILE.encode() + b"\n" + b'{"hello": "' + b"x" * 5000 + b'"}\n')
    records.write_bytes(b"\x05\x00\x01\xfe\xffA")
    with before_the_fix(monkeypatch):
        assert plumbline(tmp_path, "stream", "--source", "files", "--files", str(lines), "--until-end") == 0
        assert plumbline(tmp_path, "stream", "--source", "files", "--files", str(records), "--until-end") == 0
    return tmp_path


def plumbline(home: Path, *arguments: str) -> int:
    return main(["--home", str(home), *arguments])


def listed(home: Path, capfd: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    capfd.readouterr()
    assert plumbline(home, "dead-letters", "list", "--format", "json", *arguments) == 0
    return json.loads(capfd.readouterr().out)


def test_they_are_listed_shown_and_replayed(home: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = {row["reason"]: row for row in listed(home, capfd)}
    assert len(listed(home, capfd)) == 4
    assert set(found) == {"invalid_protobuf", "invalid_json", "no_spans"}
    assert len(listed(home, capfd, "--reason", "no_spans")) == 1
    assert len(listed(home, capfd, "--limit", "2")) == 2
    topic = str(found["no_spans"]["topic"])
    assert {row["topic"] for row in listed(home, capfd, "--topic", topic)} == {topic}

    assert plumbline(home, "dead-letters", "list") == 0
    table = capfd.readouterr().out
    assert "invalid_json" in table and "\x1b[31m" not in table and "\u202e" not in table
    assert plumbline(home, "dead-letters", "list", "--reason", "unheard of") == 0
    assert capfd.readouterr().out == "no dead letters with reason 'unheard of'\n"

    json_id = str(found["invalid_json"]["dead_letter_id"])
    assert plumbline(home, "dead-letters", "show", json_id[:12]) == 0
    shown = capfd.readouterr().out
    assert '{"resourceSpans": "\\x1b[31m[bold]red[/bold]\\u202e' in shown
    assert f"place: {topic}[0]@" in shown and "reason: invalid_json" in shown
    raw = tmp_path / "raw.bin"
    assert plumbline(home, "dead-letters", "show", json_id, "--raw", str(raw)) == 0
    assert raw.read_bytes() == HOSTILE.encode()
    assert plumbline(home, "dead-letters", "show", json_id, "--raw", str(raw)) == 1, "no file is written over"
    capfd.readouterr()
    assert plumbline(home, "dead-letters", "show", str(found["no_spans"]["dead_letter_id"])) == 0
    assert "bytes more: --raw FILE" in capfd.readouterr().out

    mine = {row["dead_letter_id"]: row for row in listed(home, capfd)}
    readable = next(name for name, row in mine.items() if row["reason"] == "invalid_protobuf" and row["bytes"] != 5)
    binary = next(name for name, row in mine.items() if row["bytes"] == 5)
    assert plumbline(home, "dead-letters", "show", str(binary)) == 0
    assert "00000000  00 01 fe ff 41 " in capfd.readouterr().out
    assert plumbline(home, "dead-letters", "replay", str(readable), str(binary)) == 1
    out, err = capfd.readouterr()
    assert out.startswith("dead letters replayed: 1, spans added: 2; still not readable: 1\n")
    assert err.startswith(f"{binary} ") and "stays: invalid_protobuf" in err
    assert {row["dead_letter_id"] for row in listed(home, capfd)} == set(mine) - {readable}
    again = next(row for row in listed(home, capfd, "--replayed") if row["dead_letter_id"] == readable)
    assert again["replayed_spans"] == 2 and again["replayed_at"]
    assert plumbline(home, "dead-letters", "replay", str(readable)) == 0
    assert "replayed before: 1\n" in capfd.readouterr().out
    assert plumbline(home, "dead-letters", "replay", "--reason", "no_spans") == 1
    assert plumbline(home, "dead-letters", "replay", "--all") == 1
    capfd.readouterr()
    assert plumbline(home, "sql", "SELECT count(*) AS n FROM spans", "--format", "csv") == 0
    assert capfd.readouterr().out == "n\n2\n"


def test_doctor_tells_of_those_not_replayed(home: Path, tmp_path: Path) -> None:
    def line(where: Path) -> tuple[str, str]:
        check = next(check for check in examine(Settings(home=where)) if check.part == "dead letters")
        return check.state, check.finding

    assert line(home) == ("warning", "not replayed: 2 invalid_protobuf, 1 invalid_json, 1 no_spans")
    assert line(tmp_path / "new") == ("ok", "none")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "ffff"], "no such dead letter"),
        (["show", ""], "several dead letters begin so"),
        (["replay"], "give ids, or --reason, or --all"),
        (["replay", "--all", "--reason", "no_spans"], "give ids, or --reason, or --all"),
        (["list", "--format", "xml"], "use table, csv or json"),
        (["list", "--limit", "0"], "see `plumbline dead-letters list --help`"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], words: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    assert plumbline(home, "dead-letters", *arguments) != 0
    out, err = capfd.readouterr()
    assert words in err and err.count("\n") == 1 and out == ""

"""`plumbline alerts` on stored incidents, hostile text included."""

from __future__ import annotations

import json
import math
import shutil
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from pipelines.checks import examine
from pipelines.cli import main
from pipelines.commands.context import open_warehouse
from pipelines.settings import Settings

AT = datetime(2026, 9, 10)
HOSTILE = "\x1b[31m[bold]red[/bold]\u202e"
INCIDENTS = ("aa11", "aa22", "bb33")
#: Evidence of their signals beside a threshold of 17; none of a rule.
LOG_E = (17.5, 19.0, None)


def with_incidents(home: Path) -> Path:
    both = {"workflow": HOSTILE, "family": "tool", "headline": HOSTILE, "onset_at": AT}
    incidents = [
        {
            **both,
            "incident_id": name,
            "families": ["tool"],
            "severity": "warning",
            "state": "open",
            "opened_at": AT,
            "last_signal_at": AT,
            "signals": 1,
            "run_ids": ["r"],
        }
        for name in INCIDENTS
    ]
    signals = [
        {**both, "incident_id": name, "signal_id": f"s-{name}", "metric": "m", "dimension": "", "at": AT}
        | {"kind": "rate" if log_e else "rule", "log_e": log_e, "threshold": log_e and 17.0}
        for name, log_e in zip(INCIDENTS, LOG_E, strict=True)
    ]
    with open_warehouse(Settings(home=home)) as warehouse:
        for table, rows in (("incidents", incidents), ("signals", signals)):
            warehouse.transaction(lambda c, table=table, rows=rows: warehouse.insert(c, table, pl.DataFrame(rows)))
    return home


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with three incidents of one signal each."""
    return with_incidents(tmp_path_factory.mktemp("home"))


@pytest.fixture
def home(stored: Path, tmp_path: Path) -> Path:
    return shutil.copytree(stored, tmp_path / "home")


def plumbline(home: Path, *arguments: str) -> int:
    return main(["--home", str(home), "alerts", *arguments])


def listed(home: Path, capfd: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    capfd.readouterr()
    assert plumbline(home, "list", "--format", "json") == 0
    return {row["incident_id"]: row for row in json.loads(capfd.readouterr().out)}


def test_a_judgement_is_stored_shown_and_counted(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert plumbline(home, "list") == 0
    assert "none is acknowledged yet" in capfd.readouterr().err
    assert plumbline(home, "ack", "aa1", "--as", "real", "--by", "ada", "--note", HOSTILE) == 0
    said = capfd.readouterr().out
    assert said.startswith("aa11 is acknowledged: ") and "learn a new reference" in said and "\x1b" not in said
    assert plumbline(home, "ack", "aa2", "--as", "false") == 0
    assert plumbline(home, "resolve", "aa11") == 0
    found = listed(home, capfd)
    assert [(found[name]["state"], found[name]["judged"]) for name in INCIDENTS] == [
        ("resolved", "resolved"),
        ("resolved", "false"),
        ("open", None),
    ]
    assert plumbline(home, "list") == 0
    told = capfd.readouterr()
    assert "\x1b" not in told.out and "\u202e" not in told.out
    assert "1 of 2 acknowledged were real (9% to 91%; tool 1 of 2); 1 false alarms a week over 1.0 weeks" in told.err


def test_the_surest_come_first_where_that_is_asked_for(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert [row["incident_id"] for row in listed(home, capfd).values()] == list(INCIDENTS)
    assert plumbline(home, "list", "--surest", "--format", "json") == 0
    found = {row["incident_id"]: row["false_ratio"] for row in json.loads(capfd.readouterr().out)}
    assert list(found) == ["bb33", "aa22", "aa11"] and found["bb33"] == 0
    assert found["aa11"] == pytest.approx(0.9 / 52 * math.exp(-0.5) / 3)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["ack", "zz", "--as", "real"], "error: no such incident ('zz'): take an id from `plumbline alerts list`\n"),
        (["ack", "aa", "--as", "real"], "error: 2 incidents begin so ('aa'): give more of the id\n"),
        (["resolve", ""], "error: no such incident (''): take an id from `plumbline alerts list`\n"),
        (
            ["ack", "aa11", "--as", "maybe"],
            "error: unknown judgement 'maybe' (alerts ack): use --as real or --as false\n",
        ),
        (
            ["ack", "aa11", "--as", "real", "--by", "x" * 201],
            "error: the name has 201 characters (alerts): at most 200\n",
        ),
    ],
)
def test_a_wrong_judgement_is_one_line_and_changes_nothing(
    arguments: list[str], line: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert plumbline(home, *arguments) == 1
    assert capfd.readouterr().err == line
    assert {row["state"] for row in listed(home, capfd).values()} == {"open"}


def test_without_a_warehouse_nothing_is_made(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert plumbline(tmp_path / "none", "ack", "aa", "--as", "real") == 1
    assert "no warehouse yet" in capfd.readouterr().err
    assert not (tmp_path / "none" / "warehouse").exists()


def test_the_doctor_warns_only_of_more_false_alarms_than_chance_gives(home: Path) -> None:
    def finding(budget: float) -> tuple[str, str]:
        settings = Settings(home=home, alarm_budget_per_week=budget)
        open_warehouse(settings).close()
        check = next(check for check in examine(settings) if check.part == "alarm budget")
        return check.state, check.finding

    assert finding(0.5)[1].startswith("no incident of 3 is acknowledged")
    assert plumbline(home, "ack", "aa11", "--as", "false") == 0
    assert finding(1.0) == (
        "ok",
        "0 of 1 acknowledged incidents were real; 1 false alarms a week over 1.0 weeks, budget 1",
    )
    assert finding(0.01)[0] == "warning"


def test_the_life_of_an_incident_from_the_command_line(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert plumbline(home, "ack", "aa11", "--by", "ada") == 0
    assert capfd.readouterr().out.startswith("aa11 is acknowledged: ")
    assert plumbline(home, "silence", "aa11", "--until", "8h", "--note", HOSTILE) == 0
    assert capfd.readouterr().out.startswith("aa11 is silenced until 20")
    assert plumbline(home, "unsilence", "aa11") == 0
    assert plumbline(home, "merge", "aa11", "bb", "--note", "one cause") == 0
    assert plumbline(home, "resolve", "aa11") == 0
    assert plumbline(home, "reopen", "aa11", "--by", "bob", "--note", "still there") == 0
    found = listed(home, capfd)
    assert (found["aa11"]["state"], found["bb33"]["state"]) == ("open", "merged")
    assert plumbline(home, "show", "aa11") == 0
    told = capfd.readouterr().out
    kinds = ("acknowledged", "silenced", "unsilenced", "took_in", "resolved", "reopened")
    assert [told.index(f" {kind} ") for kind in kinds] == sorted(told.index(f" {kind} ") for kind in kinds)
    assert "still there" in told and "\x1b" not in told and "\u202e" not in told


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["silence", "aa11", "--until", "soon", "--note", "x"], "error: no time 'soon' (--until): give 90m, 8h, 3d"),
        (["silence", "aa11", "--until", "1h", "--note", ""], "error: a silence needs a reason"),
        (["reopen", "aa11"], "error: can't reopen an incident that is open (incident aa11)"),
        (["merge", "aa11", "aa11"], "error: an incident can't go into itself"),
        (["show", "zz"], "error: no such incident ('zz')"),
        (["resend", "zz"], "error: no notification set aside begin so ('zz')"),
        (["test", "mail"], "error: no channel 'mail' (no subscriptions file): use one of console"),
    ],
)
def test_what_can_t_be_done_is_one_line(
    arguments: list[str], line: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert plumbline(home, *arguments) == 1
    told = capfd.readouterr().err
    assert told.startswith(line) and told.count("\n") == 1


def test_deliver_once_tells_what_is_due_and_the_log_says_so(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert plumbline(home, "deliver", "--once") == 0
    told = capfd.readouterr().err
    assert all(name in told for name in INCIDENTS) and "\x1b" not in told and "\u202e" not in told
    assert plumbline(home, "deliver", "--once") == 0
    assert not capfd.readouterr().err, "nothing is told twice"
    assert plumbline(home, "deliveries", "--format", "json") == 0
    rows = json.loads(capfd.readouterr().out)
    assert {(row["channel"], row["status"], row["answer"]) for row in rows} == {("console", "delivered", "printed")}
    assert plumbline(home, "deliveries", "--set-aside") == 0
    assert capfd.readouterr().out == "none\n"


def test_a_sample_goes_through_the_real_channel(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert plumbline(home, "test", "console") == 0
    told = capfd.readouterr()
    assert told.out.startswith("console: delivered (printed)") and "TEST" in told.err


def test_held_says_what_waits_and_why(home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "subscriptions.yaml"
    limit = "rate_limit: {messages: 1, per: 1h}"
    file.write_text(
        "channels: {c: {type: console}}\nsubscriptions: {s: {to: c, match: {workflow: '*'}, " + limit + "}}\n"
    )
    chosen = ["--subscriptions", str(file)]
    assert plumbline(home, "deliver", "--once", *chosen) == 0
    assert capfd.readouterr().err.count("\n") >= 1
    assert plumbline(home, "deliveries", "--held", "--format", "json", *chosen) == 0
    held = json.loads(capfd.readouterr().out)
    assert {row["reason"] for row in held} == {"renotify interval"} and len(held) == 3

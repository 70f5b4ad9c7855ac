"""`plumbline alerts` on stored incidents, hostile text included."""

from __future__ import annotations

import json
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


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with three incidents of one signal each."""
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
        for name in INCIDENTS
    ]
    with open_warehouse(Settings(home=tmp_path)) as warehouse:
        for table, rows in (("incidents", incidents), ("signals", signals)):
            warehouse.transaction(lambda c, table=table, rows=rows: warehouse.insert(c, table, pl.DataFrame(rows)))
    return tmp_path


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

"""``plumbline drill`` and ``plumbline contract``: recorded beside a stream of runs, measured by the next refresh."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from tests.pipelines.otlp import START_NS
from tests.pipelines.test_audit import CALL, ROOT, run
from tests.pipelines.test_late_outcomes import stream, written

START = datetime.fromtimestamp(START_NS / 1e9, UTC)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drills")
    nameless = {name: value for name, value in ROOT.items() if name != "plumbline.release"}
    runs = [run("a" * 32), run("b" * 32, root={**nameless, "gen_ai.workflow.name": "nameless"}, call=CALL)]
    stream(folder / "home", [written(folder / "traces.jsonl", *runs)], [])
    return folder / "home"


def told(capfd: pytest.CaptureFixture[str], *arguments: Any) -> tuple[int, str]:
    capfd.readouterr()
    status = main([*map(str, arguments)])
    said = capfd.readouterr()
    return status, " ".join((said.out + said.err).split())


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


@pytest.mark.slow
def test_a_drill_is_recorded_and_measured(home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    home = Path(shutil.copytree(home, tmp_path / "home"))

    def drill(*arguments: Any) -> tuple[int, str]:
        return told(capfd, "--home", home, "drill", *arguments)

    assert drill("list") == (
        1,
        f"error: there is no drills_measured yet ({home}/warehouse): run `plumbline refresh` first",
    )
    status, said = drill("start", "desk", "--at", at(1.5), "--by", "lead")
    assert status == 0 and "release 2026.9.1" in said
    assert "a drill of it goes on since" in drill("start", "desk")[1]
    assert "it began only at" in drill("stop", "desk", "--at", at(1.5))[1]
    assert drill("stop", "desk", "--at", at(600), "--note", "went well")[0] == 0
    assert "no drill of it goes on" in drill("stop", "desk")[1]
    assert told(capfd, "--home", home, "refresh")[0] == 0
    capfd.readouterr()
    assert main(["--home", str(home), "drill", "list", "--format", "json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert (row["workflow"], row["release"], row["was_running"], row["is_success"]) == ("desk", "2026.9.1", True, True)
    assert row["stop_minutes"] == pytest.approx(1.5 / 60), "its tool call ended at second 3"
    assert "desk" in drill("list")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("start", "nobody"), "no run of it started before then (workflow nobody)"),
        (("start", "nameless"), "its runs name no version that could be stopped"),
        (("start", "desk", "--at", "soon"), "no time: 'soon' (--at)"),
        (("start", "desk", "--at", "2001-01-01"), "no run of it started before then"),
        (("start", "desk", "--note", "x" * 2001), "note has 2,001 characters"),
        (("list", "--format", "csv"), "unknown format 'csv'"),
    ],
)
def test_what_can_t_be_recorded_is_one_line(
    home: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    status, said = told(capfd, "--home", home, "drill", *arguments)
    assert status == 1 and words in said


def test_the_contract_is_told_clause_by_clause(home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    home = Path(shutil.copytree(home, tmp_path / "home"))
    assert told(capfd, "--home", home, "refresh")[0] == 0
    status, said = told(capfd, "--home", home, "contract", "desk")
    assert status == 0 and "policy boundaries │ kept" in said and "state effects_allowed of the workflow" in said
    assert "clauses kept" in said
    capfd.readouterr()
    assert main(["--home", str(home), "contract", "--format", "json"]) == 0
    rows = json.loads(capfd.readouterr().out)
    assert len(rows) == 14 and {row["state"] for row in rows} <= {"kept", "broken", "not provable"}
    assert "use one of 'desk', 'nameless'" in told(capfd, "--home", home, "contract", "dsk")[1]

"""A dashboard without an API beside it answers incidents by a process of its own, as the API would."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from dashboards.desk import ACTS
from pipelines.commands import desk as module
from pipelines.commands.desk import OwnDesk, answer
from pipelines.errors import TerminalError
from warehouse import Warehouse, run_select

AT = datetime(2026, 3, 6, 14)
HOSTILE = "--as=real '; DROP TABLE incidents; -- <b>\u202e"
HISTORY = "SELECT kind, said_by, why FROM incident_changes ORDER BY noted_at"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with Warehouse.open(tmp_path / "warehouse") as warehouse:
        row = {
            "incident_id": "inc-0001", "workflow": "w", "family": "tool", "families": ["tool"], "severity": "warning",
            "state": "open", "headline": "h", "onset_at": AT, "opened_at": AT, "last_signal_at": AT, "signals": 1,
            "run_ids": ["r"], "updated_at": AT,
        }  # fmt: skip
        frame = pl.DataFrame([row])
        warehouse.transaction(lambda connection: warehouse.insert(connection, "incidents", frame))
    return tmp_path / "warehouse"


def test_an_answer_is_written_with_who_and_why_and_a_state_that_forbids_it_is_told(home: Path) -> None:
    desk = OwnDesk(home)
    assert not desk.act("silence", "inc-0001").is_done, "a silence needs a reason"
    done = desk.act("silence", "inc-0001", who=HOSTILE, why=HOSTILE, hours=4)
    assert (done.is_done, done.line) == (True, "Silenced.")
    refused = desk.act("reopen", "inc-0001")
    assert not refused.is_done and refused.line.startswith("Not done: can't reopen an incident that is silenced")
    said = run_select(home, HISTORY).rows()
    assert said == [("silenced", f"{HOSTILE} (through dashboard)", HOSTILE)]


@pytest.mark.parametrize("name", sorted(ACTS))
def test_every_act_of_the_page_is_known(name: str, home: Path) -> None:
    act = ACTS[name]
    told = {"incident_id": "inc-0001", "action": act.action, **dict(act.body)}
    if act.action == "silence":
        pytest.skip("the test above does it, with its reason and its end")
    with Warehouse.open(home) as warehouse:
        if name in {"unsilence", "reopen"}:
            with pytest.raises(TerminalError, match="that is open"):
                answer(warehouse, told)
        else:
            answer(warehouse, told)
            assert warehouse.query(HISTORY)["said_by"].to_list() == ["dashboard"]


@pytest.mark.parametrize(
    ("told", "what"),
    [
        ({"incident_id": "inc", "action": "resolve"}, "no such incident"),
        ({"incident_id": "inc-0001", "action": "merge"}, "no such action"),
    ],
)
def test_a_part_of_an_id_or_another_action_is_refused(told: dict[str, str], what: str, home: Path) -> None:
    with Warehouse.open(home) as warehouse, pytest.raises(TerminalError, match=what):
        answer(warehouse, told)


def test_what_was_typed_is_never_an_argument(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[tuple[list[str], str]] = []

    def run(command: list[str], **given: object) -> subprocess.CompletedProcess[str]:
        seen.append((command, str(given["input"])))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(module.subprocess, "run", run)
    assert OwnDesk(tmp_path).act("take", "inc-0001", who=HOSTILE, why="planned").is_done
    [(command, piped)] = seen
    assert not any(HOSTILE in part or "planned" in part or "inc-0001" in part for part in command)
    assert json.loads(piped)["who"] == HOSTILE


def test_a_home_without_a_warehouse_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "warehouse").write_text("no directory")
    said = OwnDesk(tmp_path / "warehouse").act("take", "inc-0001")
    assert not said.is_done and said.line.startswith("Not done: ") and "\n" not in said.line

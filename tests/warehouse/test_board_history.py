"""Readiness and contract of each day: the last one is today's, and each earlier one what was said on that day."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pytest

from tests.warehouse.board import DAY, MINUTE, fleet
from tests.warehouse.fleet import NOW, Fleet
from tests.warehouse.test_board_marts import states
from tests.warehouse.test_marts import one
from warehouse import Warehouse, marts


def test_the_last_day_of_the_history_is_what_is_said_of_today(board: Warehouse) -> None:
    last = board.query("SELECT latest_at::DATE FROM event_clock").item()
    today = board.query("SELECT * FROM rollback_readiness ORDER BY workflow")
    history = board.query("SELECT * FROM rollback_readiness_daily WHERE date = ? ORDER BY workflow", [last])
    assert history.drop("date").equals(today)
    own = "workflow NOT IN ('(team)', '(fleet)')"
    states = board.query(
        f"SELECT workflow, clause, state FROM reliability_contract_daily WHERE date = ? AND {own} ORDER BY ALL", [last]
    )
    assert states.equals(board.query("SELECT workflow, clause, state FROM reliability_contract ORDER BY ALL"))
    runs = board.query(
        f"SELECT workflow, clause, broken_runs FROM reliability_contract_daily WHERE date = ? AND {own} "
        "AND broken_runs IS NOT NULL AND state = 'broken' ORDER BY ALL",
        [last],
    )
    assert runs.equals(
        board.query(
            "SELECT workflow, clause, broken_runs FROM reliability_contract WHERE state = 'broken' "
            "AND clause NOT IN ('rollback and stop', 'cost envelope') ORDER BY ALL"
        )
    )


@pytest.mark.slow
@pytest.mark.parametrize("days", [1, 3, 20])
def test_a_day_of_the_history_is_what_was_said_on_that_day(
    board: Warehouse, tmp_path: Path, template: Path, days: int
) -> None:
    until = datetime.combine((NOW - days * DAY).date() + DAY, datetime.min.time())
    then = Fleet()
    for table, rows in fleet().rows.items():
        at = {"spans": "started_at", "drills": "started_at", "rollbacks": "at", "outcomes": "at"}.get(table)
        then.rows[table] = [row for row in rows if at is None or row[at] < until]
    # The clock of then stood at that day's end.
    then.run("clock", "clock", at=until - MINUTE)
    shutil.copytree(template, tmp_path / "then")
    with Warehouse.open(tmp_path / "then") as warehouse:
        then.store(warehouse)
        for name in marts.names():
            marts.build(warehouse, name)
        said = warehouse.query(
            "SELECT * EXCLUDE (as_of) FROM rollback_readiness WHERE workflow NOT IN ('clock', 'undoing') ORDER BY workflow"
        )
        clauses = warehouse.query(
            "SELECT workflow, clause, state FROM reliability_contract WHERE workflow NOT IN ('clock', 'undoing') ORDER BY ALL"
        )
    day = until.date() - DAY
    # A write of 'undoing' is undone on the last day: that is known of it since, on every day.
    history = board.query(
        "SELECT * EXCLUDE (as_of) FROM rollback_readiness_daily WHERE date = ? AND workflow <> 'undoing' ORDER BY workflow",
        [day],
    )
    assert len(history) > 1
    assert history.drop("date").equals(said)
    states = board.query(
        "SELECT workflow, clause, state FROM reliability_contract_daily WHERE date = ? "
        "AND workflow NOT IN ('(team)', '(fleet)', 'undoing') ORDER BY ALL",
        [day],
    )
    assert states.equals(clauses)


def test_readiness_has_a_row_for_each_day_that_its_runs_reach(board: Warehouse) -> None:
    rows = board.query("SELECT date FROM rollback_readiness_daily WHERE workflow = 'kept' ORDER BY date")["date"]
    first, last = (NOW - 5 * DAY).date(), board.query("SELECT latest_at::DATE FROM event_clock").item()
    assert rows.to_list() == [first + number * DAY for number in range((last - first).days + 1)]
    west = board.query("SELECT count(*), max(date) FROM rollback_readiness_daily WHERE workflow = 'west'").row(0)
    assert west == (22, last), "of 10 August, and up to the last day"
    scores = dict(board.query("SELECT date, score FROM rollback_readiness_daily WHERE workflow = 'kept'").iter_rows())
    assert (scores[first], scores[last]) == (0.0, 1.0), "there was no release before, once"
    card = board.query("SELECT date, rollback_readiness FROM scorecard_daily WHERE workflow = 'kept'").iter_rows()
    assert all(scores[day] == score for day, score in card)


def test_each_link_below_one_says_how_to_raise_it_and_no_other_is_named(board: Warehouse) -> None:
    for row in board.query("SELECT * FROM rollback_readiness_daily").iter_rows(named=True):
        links = {
            "versions": row["versions_pinned_ratio"], "known_good": row["known_good_score"], "drill": row["drill_score"],
            "compensation": row["compensated_write_ratio"], "objective": row["objective_score"],
        }  # fmt: skip
        assert {each["link"]: each["score"] for each in row["to_raise"]} == {
            name: score for name, score in links.items() if score != 1
        }
        assert all(each["detail"] and each["to_do"] for each in row["to_raise"])
        weakest = row["to_raise"][0] if row["to_raise"] else {"link": None, "detail": "every link holds", "to_do": None}
        assert (row["weakest_link"], row["detail"], row["to_do"]) == (
            weakest["link"],
            weakest["detail"],
            weakest["to_do"],
        )
        if row["score"] is not None and row["to_raise"]:
            assert weakest["score"] == row["score"] == min(score for score in links.values() if score is not None)


def test_the_contract_of_a_team_is_broken_where_one_of_its_workflows_breaks_it(board: Warehouse) -> None:
    last = (NOW - DAY).date()  # of its runs; its states are those of today
    found = board.query(
        "SELECT clause, state, kept_workflows, broken_workflows, workflows FROM reliability_contract_daily "
        "WHERE date = ? AND workflow = '(team)' AND team = 'blue' ORDER BY clause_number",
        [last],
    )
    own = states(board, "kept"), states(board, "broken")
    for clause, state, kept, broke, number in found.iter_rows():
        both = [each[clause] for each in own]
        assert (kept, broke, number) == (both.count("kept"), both.count("broken"), 2)
        assert state == ("broken" if broke else "kept" if kept == 2 else "not provable")
    card = one(board, "scorecard_daily", date=(NOW - DAY).date(), workflow="(team)", team="blue")
    assert card["contract_broken"] == found["broken_workflows"].sum()
    assert card["contract_kept_ratio"] == found["kept_workflows"].sum() / 14

"""What may be told of, from the tables that are there: each condition opens and is over by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from pipelines.alerts import lifecycle, operations, store
from pipelines.commands.context import open_warehouse
from pipelines.defs.verdicts import note_result
from pipelines.notifications.subject import Subject
from pipelines.notifications.subjects import conditions, incident_subjects
from pipelines.settings import Settings
from warehouse import Warehouse, marts

NOW = datetime(2026, 9, 10, 12)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    home = tmp_path_factory.mktemp("home")
    with open_warehouse(Settings(home=home)) as warehouse:
        for name in ("rollback_readiness", "audit_by_run", "model_calls"):
            # Their columns as they are, their rows as the tests need them.
            warehouse.transaction(lambda c, name=name: c.execute(f"CREATE TABLE {name} AS {_columns(name)}"))
        yield warehouse


_WANTED = {
    "rollback_readiness": [
        *(
            "workflow VARCHAR",
            "as_of TIMESTAMP",
            "score DOUBLE",
            "weakest_link VARCHAR",
            "detail VARCHAR",
            "to_do VARCHAR",
        ),
        "objective_minutes DOUBLE",
    ],
    "audit_by_run": [
        *("run_id VARCHAR", "workflow VARCHAR", "started_at TIMESTAMP", "is_settled BOOLEAN", "is_complete BOOLEAN"),
        "missing VARCHAR[]",
    ],
    "model_calls": [
        *(
            "response_model VARCHAR",
            "request_model VARCHAR",
            "cost_usd DOUBLE",
            "status VARCHAR",
            "input_tokens BIGINT",
        ),
        *("output_tokens BIGINT", "started_at TIMESTAMP"),
    ],
}


def _columns(name: str) -> str:
    wanted = [part.split(" ", 1) for part in _WANTED[name]]
    assert {column for column, _ in wanted} <= set(marts.models()[name].columns)
    return "SELECT " + ", ".join(f"NULL::{kind} AS {column}" for column, kind in wanted) + " WHERE false"


def put(lake: Warehouse, table: str, *rows: dict[str, Any]) -> None:
    def work(connection: Any) -> None:
        connection.execute(f'DELETE FROM "{table}"')
        lake.insert(connection, table, pl.DataFrame(list(rows), infer_schema_length=None))

    lake.transaction(work)


def one(lake: Warehouse, kind: str, containing: str = "") -> Subject:
    (found,) = [each for each in conditions(lake, NOW) if each.kind == kind and containing in each.headline]
    return found


def budget(**more: Any) -> dict[str, Any]:
    return {
        **{"scope": "workflow", "name": "desk", "month": date(2026, 9, 1), "budget_usd": 100.0, "spent_usd": 60.0},
        **{"used_ratio": 0.6, "burn_1d": 2.5, "burn_7d": 2.1, "is_burning": True, "landing_usd": 140.0},
        **{"landing_low_usd": 110.0, "landing_high_usd": 180.0, "as_of": NOW.date(), "computed_at": NOW},
        **more,
    }


def test_a_budget_burns_and_lands_over_and_both_are_over_with_the_month(lake: Warehouse) -> None:
    put(lake, "catalog_workflows", {"workflow": "desk", "team": "ops"})
    put(lake, "budgets_monthly", budget())
    burn, landing = one(lake, "budget"), one(lake, "forecast")
    assert (burn.state, landing.state, landing.severity) == ("open", "open", "critical")
    assert (burn.workflow, burn.team) == ("desk", "ops") and "$140.00 of $100.00" in landing.headline
    put(lake, "budgets_monthly", budget(is_burning=False, landing_usd=90.0))
    assert {each.state for each in conditions(lake, NOW) if each.kind in ("budget", "forecast")} == {"resolved"}
    later = budget(month=date(2026, 10, 1), is_burning=False, landing_usd=None, burn_7d=None)
    put(lake, "budgets_monthly", budget(), later)
    assert {
        each.state for each in conditions(lake, NOW) if each.subject_id in (burn.subject_id, landing.subject_id)
    } == {"resolved"}


def test_only_the_highest_rung_of_the_month_is_told_and_once(lake: Warehouse) -> None:
    put(lake, "budgets_monthly", budget(is_burning=None, burn_1d=None, landing_usd=None))
    rung = {"scope": "team", "name": "ops", "spent_usd": 90.0, "budget_usd": 100.0, "noted_at": NOW}
    put(
        lake,
        "budget_events",
        {**rung, "event_id": "a", "month": date(2026, 9, 1), "rung": 0.5, "passed_on": NOW.date() - DAY},
        {**rung, "event_id": "b", "month": date(2026, 9, 1), "rung": 0.8, "passed_on": NOW.date()},
        {**rung, "event_id": "c", "month": date(2026, 8, 1), "rung": 1.0, "passed_on": NOW.date() - 20 * DAY},
    )
    found = one(lake, "budget")
    assert found.is_instant and "80 %" in found.headline and (found.team, found.workflow) == ("ops", None)
    put(
        lake,
        "budget_events",
        {**rung, "event_id": "x", "month": date(2020, 1, 1), "rung": 0.5, "passed_on": NOW.date()},
    )
    assert not [each for each in conditions(lake, NOW) if each.is_instant and each.kind == "budget"]


def test_readiness_is_told_where_the_catalog_sets_an_objective(lake: Warehouse) -> None:
    put(
        lake,
        "catalog_workflows",
        {"workflow": "desk", "team": "ops", "rollback_objective_minutes": 15.0},
        {"workflow": "free", "team": None, "rollback_objective_minutes": None},
    )
    row = {"as_of": NOW, "weakest_link": "drill", "detail": "none", "to_do": "hold one", "objective_minutes": 15.0}
    put(
        lake, "rollback_readiness", {**row, "workflow": "desk", "score": 0.0}, {**row, "workflow": "free", "score": 0.0}
    )
    found = one(lake, "readiness")
    assert (found.workflow, found.state, found.severity) == ("desk", "open", "critical")
    put(lake, "rollback_readiness", {**row, "workflow": "desk", "score": None})
    assert one(lake, "readiness").state == "open" and "not provable" in one(lake, "readiness").headline
    put(lake, "rollback_readiness", {**row, "workflow": "desk", "score": 1.0})
    assert one(lake, "readiness").state == "resolved"


def test_audit_completeness_needs_runs_to_judge_by(lake: Warehouse) -> None:
    def runs(count: int, whole: int) -> list[dict[str, Any]]:
        return [
            {
                **{
                    "run_id": f"r{n}",
                    "workflow": "desk",
                    "started_at": NOW - n * timedelta(minutes=1),
                    "is_settled": True,
                },
                **{"is_complete": n < whole, "missing": [] if n < whole else ["approvals"]},
            }
            for n in range(count)
        ]

    put(lake, "audit_by_run", *runs(19, 0))
    assert not [each for each in conditions(lake, NOW) if each.kind == "audit"]
    put(lake, "audit_by_run", *runs(40, 30))
    found = one(lake, "audit")
    assert found.state == "open" and "75.0 %" in found.headline and ("Most often missing", "approvals") in found.details
    put(lake, "audit_by_run", *runs(40, 40))
    assert one(lake, "audit").state == "resolved"


def test_a_check_that_fails_is_told_until_it_passes(lake: Warehouse) -> None:
    note_result(lake, "runs_are_sound", passed=True, is_blocking=True, summary="all 9 hold")
    assert one(lake, "quality").state == "resolved"
    note_result(lake, "runs_are_sound", passed=False, is_blocking=True, summary="run_id is unique (3)")
    first = one(lake, "quality")
    note_result(lake, "runs_are_sound", passed=False, is_blocking=True, summary="run_id is unique (4)")
    again = one(lake, "quality")
    assert (again.state, again.severity) == ("open", "critical") and again.opened_at == first.opened_at


def test_trouble_of_the_product_itself(lake: Warehouse) -> None:
    letter = {"topic": "spans", "reason": "no protobuf", "partition": 0, "offset": 1}
    put(
        lake,
        "dead_letters",
        *({**letter, "dead_letter_id": f"d{n}", "seen_at": NOW - n * timedelta(minutes=50)} for n in range(3)),
    )
    letters = one(lake, "operation", "can't be read")
    assert letters.state == "open" and ("In the last hour", "2") in letters.details
    old = {**letter, "dead_letter_id": "d", "seen_at": NOW - timedelta(hours=3)}
    put(lake, "dead_letters", old)
    assert one(lake, "operation", "can't be read").state == "resolved"
    assert one(lake, "operation", "can't be read").subject_id == letters.subject_id

    call = {"response_model": "m", "status": "ok", "input_tokens": 5, "output_tokens": 5, "started_at": NOW}
    put(lake, "model_calls", *({**call, "cost_usd": 0.1 if n else None} for n in range(40)))
    assert one(lake, "operation", "of m have a price").state == "resolved"
    put(lake, "model_calls", *({**call, "cost_usd": 0.1 if n > 9 else None} for n in range(40)))
    assert one(lake, "operation", "75.0 %").state == "open"

    event = operations.expired_messages("spans", 2, 10, 40)
    operations.record([event], lake)
    told = [each for each in conditions(lake, event.at + DAY) if each.subject_id == event.event_id]
    assert [(each.is_instant, each.severity) for each in told] == [(True, "critical")]
    assert told[0].data["end_offset"] == 40
    assert not [each for each in conditions(lake, event.at + 8 * DAY) if each.subject_id == event.event_id]


def test_an_incident_that_took_another_in_counts_its_signals_and_the_other_is_over(lake: Warehouse) -> None:
    def signal(workflow: str, family: str, metric: str = "m", **more: Any) -> dict[str, Any]:
        stream = {"workflow": workflow, "family": family, "metric": metric, "dimension": "", "kind": "rate"}
        return {**stream, "at": NOW, "onset_at": NOW, "log_e": 9.0, "headline": "h", "run_ids": [], **more}

    put(lake, "catalog_workflows", {"workflow": "desk", "team": "ops"})
    by_environment = signal("desk", "tool", "tool_error_by_environment", dimension="prod")
    store.record([by_environment, signal("shop", "policy"), signal("shop", "tool")], lake)
    before = {each.workflow: each for each in incident_subjects(lake, datetime.min)}
    assert (before["desk"].environment, before["shop"].environment, before["desk"].team) == ("prod", None, "ops")
    desk, shop = before["desk"].subject_id, before["shop"].subject_id
    lifecycle.merge(lake, desk, shop, by="ada")
    after = {each.workflow: each for each in incident_subjects(lake, datetime.min)}
    assert (after["desk"].extent, after["desk"].severity, after["desk"].occasion) == (3, "critical", "changed")
    assert (after["shop"].state, after["shop"].occasion, after["shop"].revision) == ("resolved", "resolved", 2)
    assert desk in after["shop"].headline and after["shop"].data["state"] == "resolved"
    assert not incident_subjects(lake, NOW + timedelta(days=36500), ["none"])[1:]

"""Marts of one refresh share the copies of the rows that they are computed of, and none of another state of a table."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from polars.testing import assert_frame_equal

from tests.warehouse.fleet import Fleet, model_call, tool_call
from warehouse import Warehouse, incremental, marts, narrowing

START = datetime(2025, 8, 1)
BY_RUN = [name for name in marts.names() if marts.models()[name].incremental == "run_id"]
BY_DAY = marts.by_day()


@pytest.fixture
def lake(empty: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Twenty runs with their marts, and a call of one of them that came since."""
    monkeypatch.setattr(incremental, "MOST", 2.0)  # a part is never too much of so small a fleet
    it = Fleet()
    for number in range(20):
        calls = [model_call(0.1), tool_call("free")]
        it.run(f"run-{number}", "ab"[number % 2], *calls, at=START + number * timedelta(hours=5), outcome="success")
    it.store(empty)
    for name in marts.names():
        marts.build(empty, name)
    late = Fleet()
    run = {"trace_id": "run-7", "run_id": "run-7", "workflow": "b", "workflow_rank": 1}
    at = START + timedelta(hours=35)
    late.add("spans", **run, span_id="late", parent_span_id="run-7-0", started_at=at, ended_at=at, **model_call(0.5))
    late.store(empty)
    return empty


def copied(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Tables, as they are copied from here on."""
    tables: list[str] = []
    real = narrowing._copy

    def copy(connection: object, name: str, kind: str, table: str, affected: incremental.Affected) -> int:
        tables.append(f"{kind} {table}")
        return real(warehouse.connection, name, kind, table, affected)

    monkeypatch.setattr(narrowing, "_copy", copy)
    return tables


def assert_is_whole(warehouse: Warehouse) -> None:
    for name in [*BY_RUN, *BY_DAY]:
        stored = warehouse.query(f'SELECT * FROM "{name}"')
        assert_frame_equal(stored, warehouse.query(marts.models()[name].sql), check_row_order=False)


def test_each_table_is_copied_once_for_all_marts_of_a_kind(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = copied(lake, monkeypatch)
    for name in marts.names():
        marts.build(lake, name)
    assert_is_whole(lake)
    by_day = [table for table in tables if table.startswith("date")]
    assert sorted(by_day) == sorted(set(by_day))
    assert "date runs" in by_day
    assert tables.count("run_id spans") == 1


def test_a_table_that_changed_meanwhile_is_copied_again(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = copied(lake, monkeypatch)
    for name in ["event_clock", *BY_RUN]:
        marts.build(lake, name)
        lake.transaction(
            lambda connection: connection.execute("UPDATE spans SET cost_usd = cost_usd + 1 WHERE run_id = 'run-7'")
        )
    for name in marts.names():
        marts.build(lake, name)
    assert_is_whole(lake)
    assert tables.count("run_id spans") > 1


def test_a_large_copy_is_not_kept(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrowing, "MOST_ROWS", 0)
    tables = copied(lake, monkeypatch)
    for name in marts.names():
        marts.build(lake, name)
    assert_is_whole(lake)
    assert tables.count("run_id spans") > 1
    kept = lake.query("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'kept_%' AND estimated_size > 0")
    of_runs = {f"kept_{what}_{kind}" for what in ("affected", "days") for kind in ("run_id", "date")}
    assert set(kept["table_name"]) - of_runs == {"kept_copies"}


def test_a_mart_left_behind_learns_of_days_that_the_others_know_already(lake: Warehouse) -> None:
    at = START - timedelta(days=2)
    it = Fleet()
    run = {"trace_id": "run-7", "run_id": "run-7", "workflow": "b", "workflow_rank": 0}
    it.add("spans", **run, span_id="first", parent_span_id="run-7-0", started_at=at, ended_at=at, **model_call(0.5))
    it.store(lake)
    for name in marts.names():
        if name != "runs_hourly":
            marts.build(lake, name)
    lake.transaction(lambda c: c.execute("UPDATE spans SET cost_usd = 0.7 WHERE run_id = 'run-7' AND kind = 'model'"))
    for name in marts.names():
        marts.build(lake, name)
    assert_is_whole(lake)

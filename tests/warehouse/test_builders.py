"""Marts that two threads build at once are what one build after the other gives; gates and failures hold back what reads them."""

from __future__ import annotations

import shutil
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from tests.warehouse.fleet import Fleet, model_call, tool_call
from warehouse import Limits, Warehouse, incremental, marts
from warehouse.builders import Builders, as_they_end, most_needed_first

START = datetime(2025, 8, 1)
GATES = {"runs": "sound", "cost_by_day": "agreed"}


def stored(warehouse: Warehouse, first: int, last: int) -> None:
    """Runs of two workflows, so many hours after the start as their number says."""
    it = Fleet()
    for number in range(first, last):
        calls = [model_call(0.1), tool_call("free"), tool_call("paid")]
        it.run(f"run-{number}", "ab"[number % 2], *calls, at=START + number * timedelta(hours=5), outcome="success")
    it.store(warehouse)


@pytest.fixture
def lake(empty: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """Thirty runs with their marts, and ten that came since."""
    monkeypatch.setattr(incremental, "MOST", 2.0)  # a part is never too much of so small a fleet
    stored(empty, 0, 30)
    for name in marts.names():
        marts.build(empty, name)
    stored(empty, 30, 40)
    return empty


def test_marts_are_as_one_build_after_the_other_leaves_them(lake: Warehouse) -> None:
    assert marts.are_partly_new(lake)
    with Builders(lake, {}) as builders:
        built = {name: builders.take(name) for name in marts.names()}
    for name in marts.names():
        rows = lake.query(f'SELECT * FROM "{name}"')
        assert_frame_equal(rows, lake.query(marts.models()[name].sql), check_row_order=False)
        done = built[name]
        assert done is not None
        assert (done.rows, done.seconds > 0) == (rows.height, True), name
        assert marts.build(lake, name).days == {}, "nothing is left to compute"


@pytest.mark.parametrize("order", [most_needed_first(), as_they_end()], ids=["begun", "ended"])
def test_the_order_puts_a_mart_after_those_that_it_reads(order: tuple[str, ...]) -> None:
    assert sorted(order) == sorted(marts.names())
    for place, name in enumerate(order):
        assert marts.upstream(name) & set(order) <= set(order[:place]), name


def test_a_gate_holds_back_what_reads_its_mart_until_it_is_released(lake: Warehouse) -> None:
    with Builders(lake, GATES) as builders:
        assert builders.take("runs") is not None
        assert builders.take("repeated_work") is None, "nothing follows from runs before its check"
        builders.release("sound")
        assert builders.take("cost_by_day") is not None
        assert builders.take("cost_per_outcome") is None
        assert builders.take("audit_by_run") is not None


def test_what_is_computed_ahead_of_its_gate_is_put_in_place_after_it(lake: Warehouse) -> None:
    before = lake.query("SELECT * FROM tool_calls")
    with Builders(lake, GATES) as builders:
        assert builders.take("runs") is not None
        while not {"tool_calls"} & builders._building:  # pyright: ignore[reportPrivateUsage]
            time.sleep(0.01)
        assert_frame_equal(lake.query("SELECT * FROM tool_calls"), before, check_row_order=False)
        builders.release("sound")
        assert builders.take("tool_calls") is not None
        assert lake.query("SELECT count(*) FROM tool_calls").item() > before.height


def test_a_failure_is_told_where_the_mart_is_taken_and_stops_what_reads_it(
    lake: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = marts.build

    def build(warehouse: Warehouse, name: str, **given: Any) -> marts.Built:
        if name == "model_calls":
            raise ValueError("no room")
        return real(warehouse, name, **given)

    monkeypatch.setattr(marts, "build", build)
    with Builders(lake, {}) as builders:
        with pytest.raises(ValueError, match="no room"):
            builders.take("model_calls")
        assert builders.take("audit_by_run") is None
        assert builders.take("tool_calls") is not None
        monkeypatch.setattr(marts, "build", real)
        assert builders.take("model_calls") is None, "the caller may try again"
        marts.build(lake, "model_calls")
        builders.release("model_calls")
        assert builders.take("audit_by_run") is not None


def test_threads_end_in_the_middle_and_leave_nothing_behind(lake: Warehouse) -> None:
    with Builders(lake, {}):
        pass
    assert lake.query("SELECT table_name FROM duckdb_tables() WHERE database_name IN ('temp', 'memory')").is_empty()
    for name in marts.names():
        marts.build(lake, name)
        whole = lake.query(marts.models()[name].sql)
        assert_frame_equal(lake.query(f'SELECT * FROM "{name}"'), whole, check_row_order=False)


def test_a_new_warehouse_and_a_changed_catalog_are_not_few_changes(empty: Warehouse) -> None:
    stored(empty, 0, 5)
    assert not marts.are_partly_new(empty), "no mart is there"
    for name in ("event_clock", "runs"):
        marts.build(empty, name)
    stored(empty, 5, 6)
    assert marts.are_partly_new(empty)
    empty.transaction(lambda connection: connection.execute("INSERT INTO catalog_workflows (workflow) VALUES ('a')"))
    assert not marts.are_partly_new(empty)


def test_marts_that_never_held_a_row_inline_are_read_without_looking_for_one(home: Path) -> None:
    with Warehouse.open(home / "plain", limits=Limits(inlined_rows=0)) as lake:
        stored(lake, 0, 5)
        for name in marts.names():
            marts.build(lake, name)
    copy = Path(shutil.copytree(home / "plain", home / "copy"))
    with Warehouse.open(copy) as lake:  # as the stream opens it
        stored(lake, 5, 7)
        for name in marts.names():
            marts.build(lake, name)
            whole = lake.query(marts.models()[name].sql)
            assert_frame_equal(lake.query(f'SELECT * FROM "{name}"'), whole, check_row_order=False)


def test_what_another_process_changes_in_a_mart_while_it_is_computed_is_found(lake: Warehouse) -> None:
    def gone() -> None:
        with Warehouse.open(lake.path) as other:
            other.transaction(lambda connection: connection.execute("DELETE FROM model_calls WHERE run_id = 'run-3'"))

    for name in ("event_clock", "runs"):
        marts.build(lake, name)
    marts.build(lake, "model_calls", before_writing=gone)
    marts.build(lake, "model_usage_hourly")
    usage = lake.query("SELECT * FROM model_usage_hourly")
    assert_frame_equal(usage, lake.query(marts.models()["model_usage_hourly"].sql), check_row_order=False)

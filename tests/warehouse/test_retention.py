"""Retention: only old rows go, their files with them, and marts keep what they stated."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.warehouse.compactor import compact
from tests.warehouse.fleet import Fleet, model_call, tool_call
from warehouse import Warehouse, WarehouseError, marts, retention

TODAY = datetime(2025, 8, 31, 15, 0)
DAYS = [date(2025, 8, 31) - timedelta(days=age) for age in range(30)]


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12)


def build_all(warehouse: Warehouse) -> None:
    for name in marts.names():
        marts.build(warehouse, name)


@pytest.fixture
def fleet(empty: Warehouse) -> Warehouse:
    """A run a day for thirty days, one of them over midnight, and every mart."""
    fleet = Fleet()
    for number, day in enumerate(DAYS):
        fleet.run(f"r{number}", "w", model_call(), tool_call("t"), at=noon(day), outcome="success")
    # Its root and first call are on 20 August, the rest on the 21st, which ten days of retention keep.
    start = datetime(2025, 8, 20, 23, 59, 58)
    fleet.run("night", "w", model_call(), model_call(), model_call(), at=start, outcome="success")
    fleet.store(empty)
    empty.transaction(lambda c: c.execute("UPDATE spans SET ingested_at = started_at + INTERVAL 1 MINUTE"))
    build_all(empty)
    return empty


def states(warehouse: Warehouse) -> dict[str, pl.DataFrame]:
    return {name: warehouse.query(f'SELECT * FROM "{name}" ORDER BY ALL') for name in marts.names()}


def test_only_old_rows_go_and_marts_keep_what_they_stated(fleet: Warehouse) -> None:
    before = states(fleet)
    assert retention.apply(fleet, {"spans": 10, "outcomes": 10}, now=TODAY) == {"spans": 19 * 3 + 2, "outcomes": 20}
    assert fleet.query("SELECT min(started_at) FROM spans").item() == datetime(2025, 8, 21, 0, 0)
    assert fleet.query("SELECT count(DISTINCT run_id) FROM spans").item() == 12  # of one, the part after midnight
    build_all(fleet)
    after = states(fleet)
    for name, frame in before.items():
        assert_frame_equal(after[name], frame, check_row_order=False)
    assert fleet.query("SELECT table_name, kept_since, rows_deleted FROM retention ORDER BY ALL").rows() == [
        ("outcomes", date(2025, 8, 21), 20),
        ("spans", date(2025, 8, 21), 59),
    ]
    assert retention.apply(fleet, {"spans": 10, "outcomes": 10}, now=TODAY) == {"spans": 0, "outcomes": 0}


def test_without_the_kept_rows_the_marts_would_lose_the_expired_days(
    fleet: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    retention.apply(fleet, {"spans": 10}, now=TODAY)
    monkeypatch.setattr(marts, "_carry_over", lambda *_: None)
    build_all(fleet)
    assert fleet.query("SELECT count(*) FROM runs WHERE started_at < DATE '2025-08-21'").item() == 0


@pytest.mark.slow
def test_days_that_are_kept_still_change_and_late_spans_of_expired_days_do_not_count(fleet: Warehouse) -> None:
    retention.apply(fleet, {"spans": 10}, now=TODAY)
    before = states(fleet)
    more = Fleet()
    more.run("new", "w", model_call(), at=noon(date(2025, 8, 30)))
    more.run("late", "w", model_call(), at=noon(date(2025, 8, 5)))
    more.store(fleet)
    build_all(fleet)
    daily = "SELECT * FROM cost_per_outcome_daily WHERE date {} DATE '2025-08-21' ORDER BY ALL"
    assert fleet.query("SELECT count(*) FROM runs WHERE run_id = 'new'").item() == 1
    assert fleet.query("SELECT count(*) FROM runs").item() == len(before["runs"]) + 1
    old = before["cost_per_outcome_daily"].filter(pl.col("date") < date(2025, 8, 21))
    assert_frame_equal(fleet.query(daily.format("<")), old, check_row_order=False)
    assert not fleet.query(daily.format(">=")).equals(
        before["cost_per_outcome_daily"].filter(pl.col("date") >= date(2025, 8, 21))
    )


@pytest.mark.slow
def test_files_of_expired_days_disappear_with_compaction(fleet: Warehouse, home: Path) -> None:
    def days_on_disk() -> int:
        return len({path.parent for path in (home / "data/main/spans").rglob("*.parquet")})

    compact(home, times=2, keep=0, grace=0)  # what the first rewrites, the second deletes
    build_all(fleet)
    assert days_on_disk() == 30
    retention.apply(fleet, {"spans": 10}, now=TODAY)
    assert days_on_disk() == 30, "until their snapshots expire, time travel still reads them"
    compact(home, times=2, keep=0, grace=0)
    assert days_on_disk() == 11


def test_rows_that_no_mart_has_counted_are_not_deleted(fleet: Warehouse) -> None:
    more = Fleet()
    more.run("late", "w", model_call(), at=noon(date(2025, 8, 5)))
    more.store(fleet)
    count = "SELECT count(*) FROM spans"
    before = fleet.query(count).item()
    with pytest.raises(WarehouseError, match="run `plumbline refresh` first"):
        retention.apply(fleet, {"spans": 10}, now=TODAY)
    assert fleet.query(count).item() == before
    build_all(fleet)
    assert retention.apply(fleet, {"spans": 10}, now=TODAY)["spans"] > 0


def test_rows_go_only_after_the_first_refresh(empty: Warehouse) -> None:
    fleet = Fleet()
    fleet.run("r", "w", at=noon(date(2025, 8, 1)))
    fleet.store(empty)
    with pytest.raises(WarehouseError, match="marts do not count these rows yet"):
        retention.apply(empty, {"spans": 10}, now=TODAY)


def test_a_broken_clock_counts_from_arrival(empty: Warehouse) -> None:
    young, old = TODAY - timedelta(days=3), TODAY - timedelta(days=30)
    rows = {
        "1970": (datetime(1970, 1, 1), young),
        "1970, long ago": (datetime(1970, 1, 1), old),
        "2100": (datetime(2100, 1, 1), young),
        "2100, long ago": (datetime(2100, 1, 1), old),
        "none": (None, young),
        "none, long ago": (None, old),
        "an old file, read today": (datetime(2025, 8, 20, 23, 59, 59), TODAY),
        "the first moment kept": (datetime(2025, 8, 21), TODAY),
    }
    common: dict[str, Any] = {"trace_id": "t", "run_id": "r", "workflow": "w", "kind": "model"}
    frame = pl.DataFrame(
        [{**common, "span_id": name, "started_at": start, "ingested_at": seen} for name, (start, seen) in rows.items()]
    )
    empty.transaction(lambda c: empty.insert(c, "spans", frame))
    build_all(empty)
    assert retention.apply(empty, {"spans": 10}, now=TODAY) == {"spans": 4}
    left = empty.query("SELECT span_id FROM spans ORDER BY ALL")["span_id"].to_list()
    assert left == ["1970", "2100", "none", "the first moment kept"]


def test_tables_that_no_mart_reads_and_marts_themselves_have_their_own_age(fleet: Warehouse) -> None:
    letters = pl.DataFrame(
        {"dead_letter_id": ["a", "b"], "seen_at": [noon(DAYS[5]), noon(DAYS[20])], "payload": [b"x", b"y"]}
    )
    fleet.transaction(lambda c: fleet.insert(c, "dead_letters", letters))
    daily = fleet.query("SELECT * FROM cost_per_outcome_daily ORDER BY ALL")
    found = retention.apply(fleet, {"dead_letters": 10, "model_calls": 20, "runs": 20, "spans": 10}, now=TODAY)
    assert (found["dead_letters"], found["model_calls"], found["runs"]) == (1, 9, 9)
    build_all(fleet)
    assert fleet.query("SELECT min(started_at)::DATE FROM runs").item() == date(2025, 8, 11)
    assert fleet.query("SELECT min(started_at)::DATE FROM model_calls").item() == date(2025, 8, 11)
    assert_frame_equal(fleet.query("SELECT * FROM cost_per_outcome_daily ORDER BY ALL"), daily, check_row_order=False)


def test_a_table_without_a_time_has_no_retention(empty: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="'consumed_offsets' has no retention"):
        retention.apply(empty, {"consumed_offsets": 1})
    assert {"spans", "dead_letters", "runs", "scorecard_daily"} <= set(retention.tables())

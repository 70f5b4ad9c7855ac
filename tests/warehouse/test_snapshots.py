"""Time travel: a lake read as of a kept snapshot is what it was then, through all that compaction and retention do since."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from tests.warehouse.hostile import hostile_statements, on_disk
from warehouse import Reader, Warehouse, WarehouseError, compaction, marts, read_only, snapshots

Add = Callable[..., None]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "warehouse"


def add(warehouse: Warehouse, first: int, rows: int) -> snapshots.Snapshot:
    """Rows of spans and of dead letters; the snapshot that they make."""
    day = datetime(2026, 9, 1)
    spans = pl.DataFrame(
        [
            {
                "trace_id": f"{number:032x}",
                "span_id": f"{number:016x}",
                "run_id": f"{number:032x}",
                "workflow": "desk",
                "kind": "agent",
                "started_at": day + timedelta(days=number % 3),
                "ended_at": day + timedelta(days=number % 3, seconds=1),
                "ingested_at": day,
            }
            for number in range(first, first + rows)
        ]
    )
    letters = spans.select(dead_letter_id="trace_id").head(3)

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        warehouse.insert(connection, "spans", spans)
        warehouse.insert(connection, "dead_letters", letters)  # few: these wait in the catalog

    warehouse.transaction(work)
    return snapshots.current(warehouse.connection)


COUNTS = "SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM spans_v1), (SELECT count(*) FROM dead_letters)"


def test_tables_views_and_marts_are_as_they_were_whatever_was_done_to_the_files_since(lake: Path) -> None:
    with Warehouse.open(lake) as warehouse:
        first = add(warehouse, 0, 200)
        for name in marts.names():
            marts.build(warehouse, name)
        refreshed = snapshots.current(warehouse.connection)
        add(warehouse, 200, 200)
        marts.build(warehouse, "event_clock")
        marts.build(warehouse, "runs")
        warehouse.transaction(lambda c: c.execute("DELETE FROM spans WHERE started_at < TIMESTAMP '2026-09-02'"))
        warehouse.transaction(lambda c: c.execute("ALTER TABLE dead_letters ADD COLUMN later VARCHAR"))
        done = compaction.compact(warehouse, grace=timedelta(0))
        assert done["files_rewritten"] + done["files_merged"] > 0
    with Reader(lake, as_of=first.id) as reader:
        assert reader.select(COUNTS).row(0) == (200, 200, 3)
        assert reader.snapshot() == first
        assert "later" not in reader.select("FROM dead_letters").columns
        with pytest.raises(WarehouseError, match="there is no table 'runs'"):
            reader.select("FROM runs")
    for moment in (refreshed.id, refreshed.at, refreshed.at + timedelta(microseconds=1)):
        with Reader(lake, as_of=moment) as reader:
            assert reader.select("SELECT count(*) FROM runs").item() == 200
            assert reader.select("SELECT count(*) FROM runs_v1").item() == 200
    with Reader(lake) as reader:
        assert reader.select(COUNTS).row(0)[0] < 400
        assert reader.select("SELECT count(*) FROM runs").item() == 400
        assert reader.snapshot().id > refreshed.id


def test_a_reader_of_then_is_not_moved_by_what_is_committed_now_and_refuses_what_every_reader_refuses(
    lake: Path,
) -> None:
    with Warehouse.open(lake) as warehouse:
        then = add(warehouse, 0, 5)
        add(warehouse, 5, 5)
        with Reader(lake, as_of=then.id) as reader:
            assert reader.select(COUNTS).row(0) == (5, 5, 3)
            add(warehouse, 10, 5)
            assert reader.select(COUNTS).row(0) == (5, 5, 3)
        with read_only(lake, as_of=then.at) as old, pytest.raises(WarehouseError, match="read-only"):
            old.transaction(lambda c: c.execute("DELETE FROM spans"))
        with pytest.raises(WarehouseError, match="the past can't be written"):
            Warehouse.open(lake, as_of=then.id)
    before = on_disk(lake)
    with Reader(lake, as_of=then.id) as reader:
        for statement in hostile_statements(lake)[::5]:
            with pytest.raises(WarehouseError):
                pytest.fail(f"answered {statement!r}: {reader.select(statement)}")
    assert on_disk(lake) == before


def test_what_is_not_kept_is_one_line_that_names_the_oldest_and_the_newest(lake: Path) -> None:
    with Warehouse.open(lake) as warehouse:
        old = add(warehouse, 0, 5)
        new = add(warehouse, 5, 5)
        warehouse.transaction(
            lambda c: c.execute(
                "CALL ducklake_expire_snapshots('lake', older_than => ?::TIMESTAMPTZ)", [f"{new.at}+00"]
            )
        )
    for moment in (old.id, old.at, datetime(2001, 1, 1), 10**12):
        with pytest.raises(WarehouseError, match=f"kept .*the oldest kept is snapshot {new.id} of .* UTC") as caught:
            Reader(lake, as_of=moment)
        assert "\n" not in str(caught.value)
    with pytest.raises(WarehouseError, match="still to come"):
        Reader(lake, as_of=datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1))


def test_each_snapshot_says_who_wrote_it_and_what_it_changed(lake: Path) -> None:
    with Warehouse.open(lake, writer="plumbline stream") as warehouse:
        first = add(warehouse, 0, 5)
        middle = add(warehouse, 5, 5)
    with Warehouse.open(lake) as warehouse:
        warehouse.transaction(lambda c: c.execute("DELETE FROM dead_letters"))
        compaction.compact(warehouse)
        everything = snapshots.kept(warehouse.connection, limit=1000)
        of_spans = snapshots.kept(warehouse.connection, limit=1000, table="spans")
        until = snapshots.kept(warehouse.connection, limit=1000, since=first.at, until=middle.at)
        newest = snapshots.kept(warehouse.connection, limit=2)
    rows = {row["snapshot_id"]: row for row in everything.iter_rows(named=True)}
    assert rows[first.id]["written_by"] == "plumbline stream"
    assert rows[first.id]["committed_at"] == first.at
    assert rows[first.id]["changes"] == "inserted dead_letters, spans"
    assert rows[middle.id + 1]["changes"] == "deleted dead_letters"
    assert rows[middle.id + 1]["written_by"] is None
    assert any(row["changes"].startswith("compacted") for row in rows.values())
    assert {word for row in rows.values() for part in row["changes"].split("; ") for word in part.split(" ")[:1]} <= {
        "", "altered", "compacted", "created", "deleted", "inserted"
    }  # fmt: skip
    assert {first.id, middle.id} <= set(of_spans["snapshot_id"])
    assert all("spans" in changes for changes in of_spans["changes"])
    assert until["snapshot_id"].to_list() == [middle.id, first.id]
    assert newest.equals(everything.head(2))

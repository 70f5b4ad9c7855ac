"""Compaction: it merges and cleans up, and neither it nor a writer beside it loses anything."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.warehouse.compactor import compact, start
from warehouse import Warehouse, read_only
from warehouse.compaction import expire

WRITER = """
import sys
import time
from pathlib import Path
import polars as pl
import pytest
from warehouse import Warehouse
with Warehouse.open(Path(sys.argv[1])) as warehouse:
    n = 0
    # A commit every 50 ms: often enough to meet every step of the compaction.
    while not Path(sys.argv[2]).exists():
        def work(connection):
            spans = pl.DataFrame({"trace_id": [f"{n:032x}"] * 200, "span_id": [f"{i:016x}" for i in range(200)],
                                  "run_id": "r", "workflow": "w", "kind": "tool"})
            warehouse.insert(connection, "spans", spans)
            connection.execute("DELETE FROM consumed_offsets WHERE topic = 't'")
            warehouse.insert(connection, "consumed_offsets",
                             pl.DataFrame({"topic": ["t"], "partition": [0], "next_offset": [n + 1]}))
        warehouse.transaction(work)
        print(n, flush=True)
        n += 1
        time.sleep(0.05)
"""


def write(warehouse: Warehouse, number: int, rows: int = 200) -> None:
    frame = pl.DataFrame(
        {
            "trace_id": [f"{number:032x}"] * rows,
            "span_id": [f"{n:016x}" for n in range(rows)],
            "run_id": "r",
            "workflow": "w",
            "kind": "tool",
            "started_at": [datetime(2025, 8, 1) + timedelta(minutes=number)] * rows,
        }
    )
    offsets = pl.DataFrame({"topic": ["t"], "partition": [0], "next_offset": [number + 1]})

    def work(connection) -> None:
        warehouse.insert(connection, "spans", frame)
        connection.execute("DELETE FROM consumed_offsets WHERE topic = 't'")
        warehouse.insert(connection, "consumed_offsets", offsets)

    warehouse.transaction(work)


def test_small_files_become_one_and_every_row_stays(empty: Warehouse, home: Path) -> None:
    for number in range(12):
        write(empty, number)
    counts = compact(home, keep=0, grace=0)
    assert counts["files_merged"] == 12
    assert counts["files_after"] < counts["files_before"]
    assert counts["snapshots_expired"] > 12
    assert empty.query("SELECT count(*), count(DISTINCT trace_id) FROM spans").row(0) == (2400, 12)
    assert empty.query("SELECT next_offset FROM consumed_offsets").rows() == [(12,)]
    compact(home, keep=0, grace=0)
    assert len(list((home / "data/main/spans").rglob("*.parquet"))) == 1
    write(empty, 12)
    assert empty.query("SELECT next_offset FROM consumed_offsets").rows() == [(13,)]


def test_young_snapshots_can_still_be_asked_for(empty: Warehouse, home: Path) -> None:
    write(empty, 0)
    then = empty.query("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')").item()
    write(empty, 1)
    counts = compact(home)
    assert counts["snapshots_expired"] == 0
    assert empty.query(f"SELECT count(*) FROM spans AT (VERSION => {then})").item() == 200
    assert empty.query("SELECT count(*) FROM spans").item() == 400


def test_a_snapshot_stays_until_it_is_old_to_the_minute(empty: Warehouse, home: Path) -> None:
    for number in range(4):
        write(empty, number)
    cut, minute = datetime.now(UTC) - timedelta(days=3), timedelta(minutes=1)
    numbers = empty.query("SELECT snapshot_id FROM ducklake_snapshots('lake') ORDER BY 1")["snapshot_id"].to_list()
    with closing(sqlite3.connect(home / "catalog.sqlite")) as catalog, catalog:
        for number in numbers:
            at = cut - minute if number in numbers[:2] else cut + minute
            catalog.execute("UPDATE ducklake_snapshot SET snapshot_time = ? WHERE snapshot_id = ?", (str(at), number))
    assert expire(empty, keep=timedelta(days=3)) == {"snapshots_expired": 2}
    left = empty.query("SELECT snapshot_id FROM ducklake_snapshots('lake') ORDER BY 1")["snapshot_id"].to_list()
    assert left == numbers[2:]
    assert expire(empty, keep=timedelta(0)) == {"snapshots_expired": len(left) - 1}, "the latest stays"


@pytest.mark.slow
def test_compacting_beside_a_writer_and_a_reader_loses_nothing(template: Path, home: Path, tmp_path: Path) -> None:
    shutil.copytree(template, home)
    stop, seen = tmp_path / "stop", [0]
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home), str(stop)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout and writer.stdout.readline() == "0\n"
        with read_only(home) as reader:
            compactor = start(home, times=3, keep=0)
            while compactor.poll() is None:
                seen.append(reader.query("SELECT count(*) FROM spans").item())
            assert compactor.communicate()[1] == ""
        stop.touch()
        output, errors = writer.communicate(timeout=60)
    finally:
        writer.kill()
    assert writer.returncode == 0, errors
    commits = 1 + len(output.split())
    assert commits >= 2, "nothing was committed beside the compaction"
    assert len(seen) > 2, "nothing was read beside the compaction"
    assert seen == sorted(seen)
    with read_only(home) as reader:
        assert reader.query("SELECT count(*), count(DISTINCT trace_id) FROM spans").row(0) == (200 * commits, commits)
        assert reader.query("SELECT next_offset FROM consumed_offsets").rows() == [(commits,)]


def test_a_reader_survives_what_the_first_compaction_clears_away(template: Path, home: Path) -> None:
    shutil.copytree(template, home)
    with Warehouse.open(home) as warehouse:
        write(warehouse, 0)
    with read_only(home) as reader:
        assert reader.query("SELECT count(*) FROM spans").item() == 200
        compact(home, keep=0)
        assert reader.query("SELECT count(*) FROM spans").item() == 200

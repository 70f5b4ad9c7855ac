"""Warehouse: opening, migrating, transactions and their retries, inserting."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import duckdb
import polars as pl
import pytest

from warehouse import Limits, Warehouse, WarehouseBusyError, WarehouseError, read_only
from warehouse.connection import ample_memory, connect
from warehouse.migrate import migrations
from warehouse.turns import turn


def offsets(next_offset: int) -> pl.DataFrame:
    return pl.DataFrame({"topic": ["t"], "partition": [0], "next_offset": [next_offset]})


def test_a_new_warehouse_has_every_migration_recorded(empty: Warehouse) -> None:
    recorded = empty.query("SELECT version, name FROM schema_migrations ORDER BY version").rows()
    assert recorded == [(migration.version, migration.name) for migration in migrations()]


def test_opening_again_changes_nothing(home: Path) -> None:
    with Warehouse.open(home) as first:
        before = first.query("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')").item()
    with Warehouse.open(home) as second:
        assert second.query("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')").item() == before


def test_nothing_but_answers_is_written_to_standard_output(home: Path, template: Path) -> None:
    # DuckDB shows its progress there in a Python without a script, which this is.
    shutil.copytree(template, home)
    asked = "SELECT current_setting('enable_progress_bar') AS bar"
    script = f"from pathlib import Path; from warehouse import Warehouse; w = Warehouse.open(Path({str(home)!r})); "
    done = subprocess.run(
        [sys.executable, "-c", script + f'print(w.query("{asked}").item()); w.close()'], capture_output=True, text=True
    )
    assert done.stdout == "False\n", done.stderr


def test_a_warehouse_of_a_newer_version_is_refused(home: Path) -> None:
    with Warehouse.open(home) as warehouse:
        warehouse.transaction(lambda c: c.execute("INSERT INTO schema_migrations VALUES (9999, 'later', now())"))
    with pytest.raises(WarehouseError, match="migration 9999"):
        Warehouse.open(home)


def test_a_warehouse_of_before_is_brought_forward_and_keeps_its_rows(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = migrations()
    rows = {
        "spans": pl.DataFrame(
            {
                **{name: [name] for name in ("trace_id", "span_id", "run_id", "workflow", "kind")},
                "input_tokens": [7],
                "cost_usd": [0.5],
            }
        ),
        "price_list": pl.DataFrame({"price_id": ["p"], "input_usd_per_mtok": [2.0]}),
        "consumed_offsets": offsets(3),
    }
    with monkeypatch.context() as earlier:
        earlier.setattr("warehouse.migrate.migrations", lambda: [each for each in known if each.version <= 21])
        earlier.setattr("warehouse.migrate._put_stable_views", lambda warehouse: None)  # of columns that came later
        with Warehouse.open(home) as warehouse:
            for table, frame in rows.items():
                warehouse.transaction(lambda c, table=table, frame=frame: warehouse.insert(c, table, frame))
            before = {table: warehouse.query(f"SELECT * FROM {table}") for table in rows}
            assert "input_audio_tokens" not in before["spans"].columns
    with Warehouse.open(home) as warehouse:
        for table, frame in before.items():
            after = warehouse.query(f"SELECT * FROM {table}")
            assert after.select(frame.columns).equals(frame), table
            new = set(after.columns) - set(frame.columns)
            assert all(after[column].is_null().all() for column in new), "what was not known then is not known now"
        assert {"input_audio_tokens", "cached_input_audio_tokens", "output_audio_tokens"} <= set(
            warehouse.query("SELECT * FROM spans").columns
        )


def test_a_moved_warehouse_still_reads(home: Path, tmp_path: Path) -> None:
    with Warehouse.open(home) as warehouse:
        frame = pl.DataFrame({"topic": ["t"] * 500, "partition": range(500), "next_offset": range(500)})
        warehouse.transaction(lambda c: warehouse.insert(c, "consumed_offsets", frame))
    moved = home.rename(tmp_path / "it's elsewhere")
    with read_only(moved) as reader:
        assert reader.query("SELECT sum(next_offset)::BIGINT FROM consumed_offsets").item() == 499 * 500 // 2


def test_reading_is_of_one_snapshot_whatever_others_commit(empty: Warehouse, home: Path) -> None:
    count = "SELECT count(*) FROM consumed_offsets"
    with Warehouse.open(home) as other, empty.reading() as snapshot:
        assert empty.query(count).item() == 0
        other.transaction(lambda c: other.insert(c, "consumed_offsets", offsets(1)))
        assert empty.query(count).item() == 0
        empty.query("CREATE TABLE memory.main.noted AS SELECT * FROM consumed_offsets")
        with pytest.raises(WarehouseError, match="transaction inside a transaction"):
            empty.transaction(lambda c: None)
    assert empty.query(count).item() == 1
    assert empty.query("SELECT count(*) FROM memory.main.noted").item() == 0, "what was made outside the lake stays"
    assert empty.query("SELECT id FROM ducklake_current_snapshot('lake')").item() == snapshot + 1


def test_a_failed_reading_lets_the_next_one_begin(empty: Warehouse) -> None:
    with pytest.raises(duckdb.Error), empty.reading():
        empty.query("SELECT nothing FROM consumed_offsets")
    with empty.reading(), pytest.raises(WarehouseError, match="reading inside a transaction"), empty.reading():
        pass
    assert empty.query("SELECT count(*) FROM consumed_offsets").item() == 0


def test_a_failing_transaction_leaves_nothing(empty: Warehouse) -> None:
    def work(connection: duckdb.DuckDBPyConnection) -> None:
        empty.insert(connection, "consumed_offsets", offsets(1))
        raise ValueError("crash")

    with pytest.raises(ValueError, match="crash"):
        empty.transaction(work)
    assert empty.query("SELECT count(*) FROM consumed_offsets").item() == 0
    empty.transaction(lambda c: empty.insert(c, "consumed_offsets", offsets(2)))
    assert empty.query("SELECT next_offset FROM consumed_offsets").item() == 2


def test_contention_runs_the_whole_transaction_again(empty: Warehouse) -> None:
    calls: list[int] = []

    def work(connection: duckdb.DuckDBPyConnection) -> str:
        empty.insert(connection, "consumed_offsets", offsets(len(calls)))
        calls.append(1)
        if len(calls) < 3:
            raise duckdb.IOException("database is locked")
        return "done"

    assert empty.transaction(work) == "done"
    assert empty.query("SELECT next_offset FROM consumed_offsets").rows() == [(2,)]


def test_endless_contention_is_a_busy_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse.lake.time.sleep", lambda seconds: None)

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        raise duckdb.IOException("database is locked")

    with Warehouse.open(home) as warehouse, pytest.raises(WarehouseBusyError, match="nothing was written"):
        warehouse.transaction(work)


def test_a_writer_that_takes_no_turns_does_not_make_us_lose_an_update(empty: Warehouse, home: Path) -> None:
    """Another DuckDB client writes in the middle of our transaction: ours runs again and sees its row."""
    empty.transaction(lambda c: empty.insert(c, "consumed_offsets", offsets(0)))
    foreign = connect(home, read_only=False, limits=Limits())
    tries: list[int] = []

    def slow(connection: duckdb.DuckDBPyConnection) -> None:
        tries.append(1)
        connection.execute("SELECT * FROM consumed_offsets").fetchall()
        if len(tries) == 1:
            foreign.execute("UPDATE consumed_offsets SET next_offset = next_offset + 1")
        connection.execute("UPDATE consumed_offsets SET next_offset = next_offset + 1")

    empty.transaction(slow)
    foreign.close()
    assert len(tries) == 2
    assert empty.query("SELECT next_offset FROM consumed_offsets").item() == 2


BUSY = """
import sys
import time
from contextlib import suppress
from pathlib import Path
import polars as pl
from warehouse import Warehouse
with Warehouse.open(Path(sys.argv[1])) as warehouse:
    n = 0
    while not Path(sys.argv[2]).exists():
        row = pl.DataFrame({"topic": ["t"], "partition": [0], "next_offset": [n]})
        warehouse.transaction(lambda connection: warehouse.insert(connection, "consumed_offsets", row))
        print(n, flush=True)
        n += 1
        time.sleep(0.02)
"""


def test_a_long_transaction_commits_at_its_first_try_beside_a_busy_writer(home: Path, template: Path) -> None:
    shutil.copytree(template, home)
    stop, tries = home / "stop", [0]

    def slow(connection: duckdb.DuckDBPyConnection) -> None:
        tries[0] += 1
        connection.execute("CREATE TABLE slow AS SELECT count(*) AS n FROM consumed_offsets")
        time.sleep(0.5)

    writer = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(home), str(stop)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout and writer.stdout.readline() == "0\n"
        with Warehouse.open(home) as builder:
            builder.transaction(slow)
            stop.touch()
            output, errors = writer.communicate(timeout=60)
            assert tries == [1]
            commits = 1 + len(output.split())
            assert commits >= 2, "nothing was committed beside the transaction"
            assert builder.query("SELECT count(*) FROM consumed_offsets").item() == commits
    finally:
        writer.kill()
    assert writer.returncode == 0, errors


def test_a_turn_that_never_comes_is_a_busy_error(home: Path, template: Path) -> None:
    shutil.copytree(template, home)
    with (
        Warehouse.open(home, limits=Limits(turn_wait_s=0.05)) as warehouse,
        turn(home / "writing.lock", wait_s=1),
        pytest.raises(WarehouseBusyError, match="stop it"),
    ):
        warehouse.transaction(lambda c: None)


READER = """
import sys
import time
from contextlib import suppress
from pathlib import Path
from warehouse import Reader
with Reader(Path(sys.argv[1])) as reader:
    counts = []
    print("ready", flush=True)
    while not counts or counts[-1] < int(sys.argv[2]):
        counts.append(reader.select("SELECT count(*) FROM spans").item())
        print("seen", flush=True)
        time.sleep(0.02)
    assert counts == sorted(counts)
    assert all(count % 500 == 0 for count in counts), "half a transaction was seen"
"""


def test_readers_in_other_processes_see_whole_commits_while_a_writer_writes(empty: Warehouse, home: Path) -> None:
    commits, rows = 20, 500
    readers = [
        subprocess.Popen(
            [sys.executable, "-c", READER, str(home), str(commits * rows)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    try:
        for process in readers:
            assert process.stdout and process.stdout.readline() == "ready\n"
        for number in range(commits):
            if number == commits // 2:
                for process in readers:
                    assert process.stdout and process.stdout.readline() == "seen\n"
            spans = pl.DataFrame(
                {
                    "trace_id": [f"{number:032x}"] * rows,
                    "span_id": [f"{n:016x}" for n in range(rows)],
                    "run_id": "r",
                    "workflow": "w",
                    "kind": "tool",
                }
            )

            def work(connection: duckdb.DuckDBPyConnection, spans: pl.DataFrame = spans, number: int = number) -> None:
                empty.insert(connection, "spans", spans)
                connection.execute("DELETE FROM consumed_offsets")
                empty.insert(connection, "consumed_offsets", offsets(number + 1))

            empty.transaction(work)
        for process in readers:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
    finally:
        for process in readers:
            process.kill()
    assert empty.query("SELECT count(*) FROM spans").item() == commits * rows


def test_unknown_columns_and_tables_are_named(empty: Warehouse) -> None:
    with pytest.raises(WarehouseError, match=r"\['nope'\]"):
        empty.transaction(lambda c: empty.insert(c, "spans", pl.DataFrame({"nope": [1]})))
    with pytest.raises(WarehouseError, match="no such table"):
        empty.transaction(lambda c: empty.insert(c, 'x"; DROP TABLE spans; --', pl.DataFrame({"a": [1]})))


def test_values_come_back_as_they_went_in(empty: Warehouse) -> None:
    for copies in (1, 300):  # inlined in the catalog, and as Parquet
        frame = pl.DataFrame(
            {
                "dead_letter_id": [f"{copies}-{n}" for n in range(copies)],
                "payload": [b"\x00\xff'; DROP TABLE spans"] * copies,
                "headers": ['{"__proto__": "\u2028 \U0001f600"}'] * copies,
                "message_at": pl.Series(["1970-01-01T00:00:00.000001"] * copies).str.to_datetime(time_unit="us"),
            }
        )
        empty.transaction(lambda c, frame=frame: empty.insert(c, "dead_letters", frame))
        back = empty.query(
            "SELECT dead_letter_id, payload, headers, message_at FROM dead_letters WHERE dead_letter_id LIKE ?",
            [f"{copies}-%"],
        )
        assert back.sort("dead_letter_id").equals(frame.sort("dead_letter_id"))


def test_a_read_only_warehouse_refuses_to_write(home: Path) -> None:
    Warehouse.open(home).close()
    with read_only(home) as reader:
        with pytest.raises(WarehouseError, match="read-only"):
            reader.transaction(lambda c: None)
        with pytest.raises(duckdb.Error):
            reader.connection.execute("DELETE FROM spans")


def test_reading_where_there_is_nothing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="plumbline stream"):
        read_only(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(("limit", "half"), [("2GB", "4GB"), ("16GiB", "10.0GiB"), ("2TiB", "1.2TiB")])
def test_a_whole_refresh_may_use_half_of_the_memory_but_not_less_than_others(
    monkeypatch: pytest.MonkeyPatch, limit: str, half: str
) -> None:
    # DuckDB's own limit, four fifths of what there is.
    fresh = duckdb.connect(config={"memory_limit": limit})
    monkeypatch.setattr("warehouse.connection.duckdb.connect", lambda: fresh)
    assert ample_memory() == half


def test_all_threads_are_for_a_while_and_the_setting_before_comes_back(home: Path) -> None:
    def threads(warehouse: Warehouse) -> int:
        return warehouse.query("SELECT current_setting('threads') AS threads").item()

    with Warehouse.open(home, limits=Limits(threads=3)) as warehouse:
        warehouse.connection.execute("SET threads = 1")
        with suppress(ZeroDivisionError), warehouse.on_all_threads():
            assert threads(warehouse) == 3
            raise ZeroDivisionError
        assert threads(warehouse) == 1
        # A failed statement aborts the transaction, which then takes no other: what failed is told, not that.
        with pytest.raises(duckdb.Error, match="that it was"), warehouse.reading(), warehouse.on_all_threads():
            warehouse.query("SELECT error('that it was')")
        assert threads(warehouse) == 1

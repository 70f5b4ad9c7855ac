"""The reader answers SELECTs and nothing else, whatever it is given."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from warehouse import Reader, StatementRefusedError, Warehouse, WarehouseError, run_select


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reader") / "warehouse"
    with Warehouse.open(path) as warehouse:
        for copies in (1, 150):
            frame = pl.DataFrame(
                {
                    "topic": ["t"] * copies,
                    "partition": range(copies),
                    "next_offset": range(copies),
                }
            )
            warehouse.transaction(lambda c, frame=frame: warehouse.insert(c, "consumed_offsets", frame))
    return path


@pytest.fixture(scope="module")
def reader(lake: Path) -> Iterator[Reader]:
    with Reader(lake) as opened:
        yield opened


ALLOWED = [
    "SELECT count(*) FROM consumed_offsets",
    "FROM consumed_offsets",
    "SELECT 1 -- ; DELETE FROM spans",
    "SELECT '; DROP TABLE spans' AS text;",
    "WITH a AS (SELECT 1 AS n) SELECT * FROM a JOIN range(3) r ON true",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) FROM t",
    "SELECT * FROM lake.main.consumed_offsets",
    "DESCRIBE spans",
    "SHOW TABLES",
    "SUMMARIZE consumed_offsets",
    "PIVOT (SELECT topic FROM consumed_offsets) ON topic IN ('t') USING count(*)",
    "SELECT list_transform([1], lambda x: x + 1)",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM ducklake_snapshots('lake')",
    "SELECT a, a FROM (SELECT 1 AS a)",
    "VALUES (1)",
]

# Each did something on a read-only DuckLake, or would on a machine with other files in reach.
REFUSED = [
    "",
    ";",
    "SELECT 1; DELETE FROM spans",
    "SELECT 1; SELECT 2",
    "DELETE FROM spans",
    "WITH x AS (SELECT 1) DELETE FROM spans",
    "INSERT INTO consumed_offsets VALUES ('x', 0, 0, NULL)",
    "UPDATE consumed_offsets SET next_offset = 0",
    "DROP TABLE spans",
    "TRUNCATE spans",
    "CREATE TABLE x (a INTEGER)",
    "CREATE TEMP TABLE x (a INTEGER)",
    "CREATE OR REPLACE MACRO f() AS 1",
    "CREATE VIEW v AS SELECT 1",
    "ALTER TABLE spans ADD COLUMN x INTEGER",
    "COPY spans TO '{data}/x.csv'",
    "COPY (SELECT 1) TO '/tmp/x.csv'",
    "COPY spans FROM '{data}/x.csv'",
    "EXPORT DATABASE '{data}'",
    "ATTACH '{data}/x.db'",
    "ATTACH ':memory:' AS m",
    "DETACH lake",
    "USE memory",
    "CALL ducklake_snapshots('lake')",
    "CALL ducklake_cleanup_old_files('lake', cleanup_all => true)",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "SET threads = 1",
    "RESET threads",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "PREPARE x AS SELECT 1",
    "EXECUTE x",
    "EXPLAIN ANALYZE SELECT 1",
    "PIVOT consumed_offsets ON topic USING count(*)",
    "FROM read_csv('/etc/passwd')",
    "SELECT * FROM Read_Text('/etc/hostname')",
    "SELECT * FROM \"read_text\"('/etc/hostname')",
    "FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    "FROM '{data}/main/consumed_offsets/*.parquet'",
    "FROM 'http://127.0.0.1:1/x.csv'",
    "SELECT * FROM glob('/etc/*')",
    "SELECT (SELECT count(*) FROM read_blob('/etc/passwd'))",
    "SELECT 1 WHERE EXISTS (FROM glob('*'))",
    "WITH x AS (FROM read_parquet('{data}/**/*.parquet')) FROM x",
    "FROM read_blob('{home}/catalog.sqlite')",
    "FROM sqlite_scan('{home}/catalog.sqlite', 'ducklake_snapshot')",
    "FROM sqlite_scan('{other}', 'secret')",
    "FROM sqlite_attach('{other}')",
    "FROM sqlite_query('lake', 'SELECT 1')",
    "FROM parquet_metadata('/etc/passwd')",
    "FROM query('SELECT 42')",
    "FROM query_table('consumed_offsets')",
    "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "FROM ducklake_cleanup_old_files('lake', cleanup_all => true)",
    "FROM main.ducklake_cleanup_old_files('lake', cleanup_all => true)",
    "SELECT * FROM (SELECT * FROM ducklake_expire_snapshots('lake', older_than => now()))",
    "FROM ducklake_delete_orphaned_files('lake', cleanup_all => true)",
    "FROM ducklake_merge_adjacent_files('lake')",
    "FROM ducklake_set_option('lake', 'sort_on_insert', true)",
    "FROM ducklake_add_data_files('lake', 'spans', '/etc/passwd')",
    "FROM enable_logging()",
    "FROM checkpoint()",
    "DESCRIBE FROM read_csv('/etc/passwd')",
    "SUMMARIZE '/etc/passwd'",
    "FROM frame_in_python",
    "SELECT " + "abs(" * 5000 + "1" + ")" * 5000,
]


@pytest.mark.parametrize("statement", ALLOWED)
def test_a_select_is_answered(reader: Reader, statement: str) -> None:
    assert reader.select(statement).width >= 1


@pytest.mark.parametrize("statement", REFUSED, ids=lambda statement: statement[:60])
def test_anything_else_is_refused_and_changes_nothing(reader: Reader, lake: Path, statement: str) -> None:
    frame_in_python = pl.DataFrame({"secret": [1]})
    other = lake.parent / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS secret (word)")
    files = {file: file.stat().st_size for file in (lake / "data").rglob("*") if file.is_file()}
    with pytest.raises(WarehouseError) as caught:
        reader.select(
            statement.replace("{data}", str(lake / "data")).replace("{home}", str(lake)).replace("{other}", str(other))
        )
    assert "\n" not in str(caught.value)
    assert {file: file.stat().st_size for file in (lake / "data").rglob("*") if file.is_file()} == files
    assert reader.select("SELECT count(*) FROM consumed_offsets").item() == 151
    assert frame_in_python.height == 1


def test_the_engine_alone_keeps_files_and_settings_shut(reader: Reader) -> None:
    """The second wall stands without the first: what the parser let through by mistake still meets the locks."""
    for statement in (
        "FROM read_text('/etc/hostname')",
        "SET threads = 1",
        "DELETE FROM spans",
        "COPY (SELECT 1) TO '/tmp/x'",
    ):
        with pytest.raises(Exception, match=r"disabled|locked|read-only"):
            reader._connection.execute(statement).fetchall()


def test_parameters_are_values_never_sql(reader: Reader) -> None:
    hostile = "t' OR 1=1; DELETE FROM consumed_offsets; --"
    assert reader.select("SELECT count(*) FROM consumed_offsets WHERE topic = ?", [hostile]).item() == 0


def test_columns_of_one_name_are_told_apart(reader: Reader) -> None:
    assert reader.select("SELECT 1 AS a, 2 AS a").rows(named=True) == [{"a": 1, "a_1": 2}]


def test_a_statement_without_end_is_stopped(lake: Path) -> None:
    with Reader(lake, timeout_s=0.3) as reader:
        with pytest.raises(WarehouseError, match="longer than"):
            reader.select("SELECT sum(a.range * b.range) FROM range(10000000) a, range(10000000) b")
        assert reader.select("SELECT 1").item() == 1


def test_refusals_are_told_from_failures(lake: Path) -> None:
    with pytest.raises(StatementRefusedError, match="DELETE"):
        run_select(lake, "DELETE FROM spans")
    with pytest.raises(WarehouseError, match="nope") as failure:
        run_select(lake, "SELECT nope FROM spans")
    assert not isinstance(failure.value, StatementRefusedError)


def test_a_reader_sees_what_was_committed_after_it_opened(reader: Reader, lake: Path) -> None:
    before = reader.select("SELECT count(*) FROM dead_letters").item()
    with Warehouse.open(lake) as warehouse:
        frame = pl.DataFrame({"dead_letter_id": [str(time.time_ns())]})
        warehouse.transaction(lambda c: warehouse.insert(c, "dead_letters", frame))
    assert reader.select("SELECT count(*) FROM dead_letters").item() == before + 1

"""The reader answers SELECTs and nothing else, whatever it is given."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.warehouse.hostile import hostile_statements, on_disk, write_small_lake
from warehouse import Bounds, Reader, StatementRefusedError, Warehouse, WarehouseError, run_select
from warehouse.statements import REFUSED_FUNCTIONS


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reader") / "warehouse"
    write_small_lake(path)
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


@pytest.mark.parametrize("statement", ALLOWED)
def test_a_select_is_answered(reader: Reader, statement: str) -> None:
    assert reader.select(statement).width >= 1


def test_two_hundred_hostile_statements_are_refused_and_change_nothing(reader: Reader, lake: Path) -> None:
    frame_in_python = pl.DataFrame({"secret": [1]})
    statements, before = hostile_statements(lake), on_disk(lake)
    assert len(statements) > 200
    for statement in ["", *statements]:
        with pytest.raises(WarehouseError) as caught:
            pytest.fail(f"answered {statement!r}: {reader.select(statement)}")
        assert "\n" not in str(caught.value)
    assert on_disk(lake) == before
    assert reader.select("SELECT count(*) FROM consumed_offsets").item() == 151
    assert frame_in_python.height == 1


def test_every_function_of_the_engine_that_does_more_than_answer_is_known(reader: Reader) -> None:
    """A DuckDB that brings another one fails here, until somebody has looked at it."""
    volatile = reader.select("SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'")
    harmless = {"error", "random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7"} | {
        f"current_{name}" for name in ("connection_id", "query", "query_id", "transaction_id")
    }
    assert set(volatile["function_name"]) - harmless <= REFUSED_FUNCTIONS


@pytest.mark.parametrize(
    ("statement", "line"),
    [
        ("SELECT a.range FROM range(1000000000) a, range(1000000000) b", "more than 128 MiB of memory"),
        ("SELECT a.range FROM range(1000000000) a", "more than 100,000 rows"),
        ("SELECT a.range FROM range(100000000) a ORDER BY hash(a.range)", "more than 128 MiB of memory"),
        ("SELECT repeat('x', 1000) AS wide FROM range(10000000)", "larger than 32 MiB"),
        ("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t", "longer than 1 s"),
    ],
    ids=["cross join", "many rows", "sort", "ten gigabytes", "recursion without end"],
)
def test_what_asks_for_too_much_ends_in_one_line(lake: Path, statement: str, line: str) -> None:
    bounds = Bounds(memory_mb=128, spill_mb=32, rows=100_000, result_mb=32, seconds=1 if "longer" in line else 300)
    with Reader(lake, bounds=bounds) as reader:
        with pytest.raises(WarehouseError, match=line) as caught:
            reader.select(statement)
        assert "\n" not in str(caught.value)
        assert reader.select("SELECT 1").item() == 1
    assert not [file for file in (lake / "tmp").rglob("*") if file.is_file()]


def test_the_columns_of_a_statement_are_known_without_running_it(reader: Reader) -> None:
    asked = "SELECT a.range AS n, topic FROM range(100000000000) a, consumed_offsets WHERE topic = ? -- all"
    assert [(field.name, str(field.type)) for field in reader.schema(asked)] == [("n", "int64"), ("topic", "string")]
    with pytest.raises(StatementRefusedError):
        reader.schema("DELETE FROM spans")


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
    with Reader(lake, bounds=Bounds(seconds=0.3)) as reader:
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

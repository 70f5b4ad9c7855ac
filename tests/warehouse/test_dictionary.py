"""The data dictionary is complete and current, because it is made of what the SQL files say."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from warehouse import Reader, Warehouse, WarehouseError, describing, marts, stable
from warehouse.describing import examples
from warehouse.dictionary import FILE, diagram, raw_tables, relations, render, source_of
from warehouse.headers import read_model, read_tables


def test_the_file_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == render(), "run: python -m warehouse.dictionary"


def test_every_column_of_every_relation_is_described_and_nothing_else(empty: Warehouse) -> None:
    for name in marts.names():
        marts.build(empty, name)
    marts.put_live_views(empty)
    stored: dict[str, list[str]] = {}
    for table, column in empty.connection.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = 'lake' ORDER BY column_index"
    ).fetchall():
        stored.setdefault(table, []).append(column)
    promised = {view: [each.column for each in columns] for view, columns in stable.views().items()}
    assert {one.name: list(one.columns) for one in relations()} | promised == stored


def test_every_relation_states_its_grain_in_columns_that_it_has() -> None:
    for one in relations():
        assert one.notes, one.name
        if not one.grain.startswith("one row"):
            assert set(one.grain.split(", ")) <= set(one.columns), one.name


def test_marts_come_after_what_they_read() -> None:
    order, known = marts.names(), {table.name for table in raw_tables()}
    for position, name in enumerate(order):
        assert marts.upstream(name) <= known | set(order[:position]), name


def test_a_header_that_lacks_something_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "nameless.sql"
    file.write_text("-- mart: other\n-- grain: a\n-- columns:\n--   a: A.\n\nSELECT 1 AS a\n")
    with pytest.raises(WarehouseError, match="header is not complete"):
        read_model(file)
    with pytest.raises(WarehouseError, match="no comment"):
        read_tables("\n-- table: t\n-- A row.\nCREATE TABLE t (\n    a INTEGER\n);\n")


def test_long_descriptions_may_go_on_in_the_next_line(tmp_path: Path) -> None:
    file = tmp_path / "m.sql"
    file.write_text(
        "-- mart: m\n-- group: g\n-- A row.\n-- grain: a\n-- columns:\n--   a: First\n--     and more.\n\nSELECT 1 AS a\n"
    )
    assert read_model(file).columns == {"a": "First and more."}


def test_every_column_has_an_example_and_no_example_is_of_another() -> None:
    documented = {(one.name, column) for one in relations() for column in one.columns}
    known = {place for place, example in examples().items() if example}
    assert known == documented, "run: python -m warehouse.examples on a simulated fleet, and fill in what it names"


def test_every_raw_table_says_who_writes_it() -> None:
    assert all(source_of(table) for table in raw_tables())


def test_the_diagram_leads_to_tables_that_are_there() -> None:
    edges = re.findall(r"(?m)^    (\w+) \|\|--(?:\|\||o\{) (\w+) : (\w+)$", diagram())
    columns = {one.name: one.columns for one in relations()}
    assert len(edges) > 20
    assert all(column in columns[left] and column in columns[right] for left, right, column in edges)


def test_the_catalog_says_of_every_table_and_column_what_the_dictionary_says(empty: Warehouse) -> None:
    for name in marts.names():
        marts.build(empty, name)
    stored = dict(
        empty.connection.execute(
            "SELECT (table_name, column_name), comment FROM duckdb_columns() WHERE database_name = 'lake' "
            "AND schema_name = 'main' AND table_name IN (SELECT table_name FROM duckdb_tables())"
        ).fetchall()
    )
    tables = [one for one in relations() if one.kind != "view"]
    assert {(one.name, name): text for one in tables for name, text in one.columns.items()} == stored
    for name, comment in empty.connection.execute(
        "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = 'lake' AND schema_name = 'main'"
    ).fetchall():
        assert comment.startswith(describing.comment_of(describing.find(name))), name


def test_comments_that_are_current_cost_no_commit_and_others_are_mended(empty: Warehouse) -> None:
    def snapshot() -> int:
        return empty.query("SELECT max(id) FROM ducklake_current_snapshot('lake')").item()

    before = snapshot()
    assert describing.put_comments(empty) == 0
    assert snapshot() == before
    empty.transaction(lambda c: c.execute("COMMENT ON COLUMN lake.main.spans.run_id IS 'an older text'"))
    assert describing.put_comments(empty) == 1
    shown = empty.query("SELECT comment FROM duckdb_columns() WHERE table_name = 'spans' AND column_name = 'run_id'")
    assert shown["comment"].to_list() == [describing.find("spans").columns["run_id"]]


def test_a_table_is_described_with_its_own_types_and_values(home: Path, empty: Warehouse) -> None:
    frame = pl.DataFrame({"dead_letter_id": ["of-this-warehouse"]})
    empty.transaction(lambda c: empty.insert(c, "dead_letters", frame))
    with Reader(home) as reader:
        rows = {
            row["column"]: row
            for row in describing.describe(reader, describing.find("LAKE.main.Dead_Letters")).to_dicts()
        }
    assert rows["dead_letter_id"]["example"] == "of-this-warehouse"
    assert (rows["seen_at"]["type"], rows["seen_at"]["unit"]) == ("TIMESTAMP", "time, UTC")
    assert rows["reason"]["meaning"] == "Class of the failure."
    with pytest.raises(WarehouseError, match="did you mean dead_letters"):
        describing.find("deadletters")

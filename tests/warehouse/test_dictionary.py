"""The data dictionary is complete and current, because it is made of what the SQL files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from warehouse import Warehouse, WarehouseError, marts
from warehouse.dictionary import FILE, raw_tables, relations, render
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
    assert {one.name: list(one.columns) for one in relations()} == stored


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

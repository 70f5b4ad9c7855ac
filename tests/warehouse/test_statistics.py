"""Tables that never held a row have statistics, so that statements need not ask the catalog for them once per column."""

from __future__ import annotations

from pathlib import Path

from warehouse import Warehouse, marts, queries, statistics


def without_statistics(warehouse: Warehouse) -> list[str]:
    return warehouse.query(queries.sql("tables_without_statistics"))["table_name"].to_list()


def test_a_new_warehouse_has_them_and_no_row(empty: Warehouse) -> None:
    assert without_statistics(empty) == []
    assert empty.query("SELECT * FROM catalog_workflows").is_empty()
    assert empty.query("SELECT * FROM spans").is_empty()


def test_a_mart_without_rows_has_them(empty: Warehouse) -> None:
    for name in marts.names():
        assert marts.build(empty, name).rows == empty.query(f'SELECT * FROM "{name}"').height
    assert without_statistics(empty) == []


def test_a_table_made_since_gets_them_when_the_warehouse_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "warehouse"
    with Warehouse.open(path) as warehouse:
        warehouse.transaction(
            lambda connection: connection.execute(
                "CREATE TABLE odd (a VARCHAR NOT NULL, b VARCHAR[], c DOUBLE NOT NULL, d BOOLEAN NOT NULL, "
                "e DATE NOT NULL, f TIMESTAMP NOT NULL, g INTEGER NOT NULL, h BIGINT)"
            )
        )
        assert without_statistics(warehouse) == ["odd"]
    with Warehouse.open(path) as warehouse:
        assert without_statistics(warehouse) == []
        assert warehouse.query("SELECT * FROM odd").is_empty()
        before = warehouse.snapshot()
        assert statistics.put(warehouse) == []
        assert warehouse.snapshot() == before

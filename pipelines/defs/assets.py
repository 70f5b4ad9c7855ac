"""One asset for each mart, and one for each raw table that marts read; all they say comes from the SQL files' headers."""

from __future__ import annotations

import dagster as dg

from pipelines.defs.home import Home
from warehouse import Warehouse, marts
from warehouse.dictionary import raw_tables
from warehouse.headers import Relation

# The stream and the catalog write these; Dagster only shows them.
_RAW_GROUPS = {"catalog": "catalog", "price": "catalog", "signals": "alerts", "incidents": "alerts"}


def raw_specs() -> list[dg.AssetSpec]:
    """Specs of the raw tables that marts read, written by the stream."""
    read = set().union(*(marts.upstream(name) for name in marts.names()))
    return [
        dg.AssetSpec(
            table.name,
            description=_description(table),
            group_name=_RAW_GROUPS.get(table.name.split("_")[0], "facts"),
            kinds={"table", "parquet"},
            metadata={"grain": table.grain},
        )
        for table in raw_tables()
        if table.name in read
    ]


def mart_assets() -> list[dg.AssetsDefinition]:
    """One asset per mart, depending on what its SQL reads."""
    return [_mart_asset(marts.models()[name]) for name in marts.names()]


def _mart_asset(mart: Relation) -> dg.AssetsDefinition:
    @dg.asset(
        name=mart.name,
        deps=sorted(marts.upstream(mart.name)),
        group_name=mart.group,
        kinds={"sql", "duckdb"},
        description=_description(mart),
        metadata={"grain": mart.grain, "columns": list(mart.columns)},
        # A warehouse that another process keeps busy is free again soon.
        retry_policy=dg.RetryPolicy(max_retries=2, delay=5),
    )
    def build(home: Home) -> dg.MaterializeResult:
        with home.warehouse() as warehouse:
            rows = marts.build(warehouse, mart.name)
            return dg.MaterializeResult(
                metadata={"dagster/row_count": rows, "dagster/column_schema": _column_schema(warehouse, mart)}
            )

    return build


def _description(relation: Relation) -> str:
    return "\n\n".join([*relation.notes, f"Grain: {relation.grain}."])


def _column_schema(warehouse: Warehouse, mart: Relation) -> dg.TableSchema:
    types = warehouse.query(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = 'lake' AND table_name = ?"
        " ORDER BY column_index",
        [mart.name],
    )
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name, type=type_, description=mart.columns.get(name)) for name, type_ in types.iter_rows()
        ]
    )

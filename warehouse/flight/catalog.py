"""What a client is told of the warehouse before it asks: tables, schemas, and what the server can do."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from warehouse.reader import Reader

_TABLES = """
SELECT database_name AS catalog_name, schema_name AS db_schema_name, table_name, 'TABLE' AS table_type
FROM duckdb_tables() WHERE database_name = 'lake'
UNION ALL
SELECT database_name, schema_name, view_name, 'VIEW'
FROM duckdb_views() WHERE database_name = 'lake' AND NOT internal
"""
_TABLE_SCHEMA = pa.schema(
    [
        pa.field("catalog_name", pa.string()),
        pa.field("db_schema_name", pa.string()),
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("table_type", pa.string(), nullable=False),
    ]
)
_CATALOGS = pa.schema([pa.field("catalog_name", pa.string(), nullable=False)])
_SCHEMAS = pa.schema([pa.field("catalog_name", pa.string()), pa.field("db_schema_name", pa.string(), nullable=False)])
_TYPES = pa.schema([pa.field("table_type", pa.string(), nullable=False)])

# SqlInfo: numbers and kinds of value as FlightSql.proto gives them; 8 is transactions, of which there are none.
_INFO: dict[int, str | bool | int] = {
    0: "Plumbline",
    1: "1",
    2: pa.__version__,
    3: True,  # read only
    4: True,  # SQL
    5: False,  # Substrait
    8: 0,
    9: False,  # cancelling
}
_VALUE = pa.dense_union(
    [
        pa.field("string_value", pa.string()),
        pa.field("bool_value", pa.bool_()),
        pa.field("bigint_value", pa.int64()),
        pa.field("int32_bitmask", pa.int32()),
        pa.field("string_list", pa.list_(pa.string())),
        pa.field("int32_to_int32_list_map", pa.map_(pa.int32(), pa.list_(pa.int32()))),
    ]
)
_INFO_SCHEMA = pa.schema(
    [pa.field("info_name", pa.uint32(), nullable=False), pa.field("value", _VALUE, nullable=False)]
)


def answer(name: str, command: Any, reader: Reader) -> pa.Table | None:
    """Rows that a command about the catalog asks for; None when it is no such command."""
    if name == "CommandGetSqlInfo":
        return _sql_info(list(command.info))
    if name == "CommandGetCatalogs":
        return pa.table({"catalog_name": ["lake"]}, schema=_CATALOGS)
    if name == "CommandGetTableTypes":
        return pa.table({"table_type": ["TABLE", "VIEW"]}, schema=_TYPES)
    if name == "CommandGetDbSchemas":
        found = reader.select(
            f"SELECT DISTINCT catalog_name, db_schema_name FROM ({_TABLES}) "  # noqa: S608 - our text
            "WHERE catalog_name = coalesce(?, 'lake') AND db_schema_name LIKE coalesce(?, '%') ORDER BY ALL",
            [_given(command, "catalog"), _given(command, "db_schema_filter_pattern")],
        )
        return found.to_arrow().cast(_SCHEMAS)
    return _tables(command, reader) if name == "CommandGetTables" else None


def _tables(command: Any, reader: Reader) -> pa.Table:
    found = reader.select(
        f"SELECT * FROM ({_TABLES}) WHERE catalog_name = coalesce(?, 'lake') "  # noqa: S608 - our text
        "AND db_schema_name LIKE coalesce(?, '%') AND table_name LIKE coalesce(?, '%') "
        "AND (? OR list_contains(?::VARCHAR[], table_type)) ORDER BY ALL",
        [
            *(_given(command, f) for f in ("catalog", "db_schema_filter_pattern", "table_name_filter_pattern")),
            not command.table_types,
            list(command.table_types),
        ],
    )
    table = found.to_arrow().cast(_TABLE_SCHEMA)
    if not command.include_schema:
        return table
    schemas = [
        reader.schema(f'FROM lake."{schema}"."{name}"').serialize().to_pybytes()
        for schema, name in found.select("db_schema_name", "table_name").iter_rows()
    ]
    return table.append_column(pa.field("table_schema", pa.binary(), nullable=False), pa.array(schemas, pa.binary()))


def _given(command: Any, field: str) -> str | None:
    return getattr(command, field) if command.HasField(field) else None


def _sql_info(asked: list[int]) -> pa.Table:
    known = [number for number in asked or _INFO if number in _INFO]
    kinds = {str: 0, bool: 1, int: 3}
    codes = [kinds[type(_INFO[number])] for number in known]
    children: list[list[Any]] = [[] for _ in range(6)]
    offsets = []
    for number, code in zip(known, codes, strict=True):
        offsets.append(len(children[code]))
        children[code].append(_INFO[number])
    values = pa.UnionArray.from_dense(
        pa.array(codes, pa.int8()),
        pa.array(offsets, pa.int32()),
        [pa.array(rows, field.type) for rows, field in zip(children, _VALUE, strict=True)],
        [field.name for field in _VALUE],
    )
    return pa.Table.from_arrays([pa.array(known, pa.uint32()), values], schema=_INFO_SCHEMA)


def parameters(sql: str) -> pa.Schema:
    """One column of text for each ``?`` of the statement: the engine does not tell types, and takes a text for any.

    A client may send other types all the same, as ADBC does; JDBC's driver writes what it is told.
    """
    with duckdb.connect() as connection:
        marks = connection.extract_statements(sql)[0].named_parameters
    return pa.schema([pa.field(str(mark), pa.string()) for mark in sorted(marks)])

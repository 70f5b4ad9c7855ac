"""What an analyst is told of a table: grain, keys, source, and each column's meaning, unit, type and an example.

Made from the same headers as the data dictionary. `describe` is what `plumbline sql --describe` prints, and `put_comments` keeps
the catalog's own comments current, so that any client that shows comments shows them.
"""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from warehouse import stable
from warehouse.errors import WarehouseError
from warehouse.extensions import quote_text
from warehouse.headers import Relation
from warehouse.reader import Reader

if TYPE_CHECKING:
    from warehouse.lake import Warehouse

#: Kept by `warehouse.examples`.
EXAMPLES = Path(__file__).with_name("examples.csv")
# Rows looked at for an example: a table of 50 million is not read whole to be described.
_SAMPLED = 10_000
_UNITS = {
    "usd": "US dollars",
    "ms": "milliseconds",
    "seconds": "seconds",
    "hours": "hours",
    "days": "days",
    "weeks": "weeks",
    "minutes": "minutes",
    "tokens": "tokens",
    "ratio": "share, 0 to 1",
    "at": "time, UTC",
    "date": "day, UTC",
    "bytes": "bytes",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, what it means, its unit ('' where it has none), and an example of a value ('' where none is known)."""

    name: str
    meaning: str
    unit: str
    example: str


def unit_of(column: str) -> str:
    """Unit of a column by its name, which is the rule of the whole warehouse: '' where it has none.

    Examples
    --------
    >>> unit_of("cost_usd"), unit_of("at"), unit_of("cost_usd_per_run"), unit_of("workflow")
    ('US dollars', 'time, UTC', '', '')
    """
    return _UNITS.get(column.rpartition("_")[2], "")


@cache
def examples() -> dict[tuple[str, str], str]:
    """Example of a value by table and column, as the simulated fleet of ``plumbline demo`` has them."""
    with EXAMPLES.open(encoding="utf-8", newline="") as file:
        return {(row["table"], row["column"]): row["example"] for row in csv.DictReader(file)}


def columns(relation: Relation) -> list[Column]:
    """The columns of a documented relation, in order."""
    known = examples()
    return [
        Column(name, meaning, unit_of(name), known.get((relation.name, name), ""))
        for name, meaning in relation.columns.items()
    ]


def find(name: str) -> Relation:
    """The documented relation or stable view of that name, in any case and with or without its schema.

    Raises
    ------
    WarehouseError
        If there is none; the nearest names are given.
    """
    from warehouse.dictionary import relations  # here: it reads this module

    documented = relations()
    known = {relation.name: relation for relation in [*documented, *stable.relations(documented)]}
    wanted = name.strip().strip('"').lower().removeprefix("lake.").removeprefix("main.")
    if wanted in known:
        return known[wanted]
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    raise WarehouseError(
        f"there is no table {name[:80]!r}",
        "describe",
        f"did you mean {', '.join(near)}?" if near else "see SHOW TABLES",
    )


def describe(reader: Reader, relation: Relation) -> pl.DataFrame:
    """A row per column: name, type, unit, meaning, example; type and example are those of this warehouse where it has them."""
    there = reader.select(
        "SELECT column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = 'lake' AND schema_name = 'main' AND table_name = ?",
        [relation.name],
    )
    types = dict(there.iter_rows())
    live: dict[str, str] = {}
    if types:
        values = ", ".join(f'left(any_value("{name}")::VARCHAR, 60) AS "{name}"' for name in types)
        sampled = f'SELECT {values} FROM (SELECT * FROM lake.main."{relation.name}" LIMIT {_SAMPLED})'  # noqa: S608 - our names
        live = {name: value for name, value in reader.select(sampled).row(0, named=True).items() if value is not None}
    return pl.DataFrame(
        [
            {
                "column": column.name,
                "type": types.get(column.name, ""),
                "unit": column.unit,
                "meaning": column.meaning,
                "example": live.get(column.name, column.example),
            }
            for column in columns(relation)
        ],
        schema=dict.fromkeys(("column", "type", "unit", "meaning", "example"), pl.String),
    )


def comment_of(relation: Relation) -> str:
    """What the catalog says of a relation: what a row is, its grain and where its rows come from."""
    from warehouse.dictionary import source_of

    return f"{relation.notes[0]} Grain: {relation.grain}. Source: {source_of(relation)}."


def comment_columns(connection: duckdb.DuckDBPyConnection, relation: Relation, only: set[str] | None = None) -> None:
    """Write the columns' meanings into the catalog, inside the caller's transaction."""
    for name, meaning in relation.columns.items():
        if only is None or name in only:
            connection.execute(f'COMMENT ON COLUMN lake.main."{relation.name}"."{name}" IS {quote_text(meaning)}')


def put_comments(warehouse: Warehouse) -> int:
    """Tables whose comments were not current and now are; nothing is committed where all were.

    For raw tables; a mart's comments are written with the mart (`warehouse.marts`). DuckDB knows no comments on a view's columns.
    """
    from warehouse.dictionary import raw_tables

    stored: dict[str, dict[str, str | None]] = {}
    for table, column, comment in warehouse.connection.execute(
        "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE database_name = 'lake' AND schema_name = 'main'"
    ).fetchall():
        stored.setdefault(table, {})[column] = comment
    titles = dict(
        warehouse.connection.execute(
            "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = 'lake' AND schema_name = 'main'"
        ).fetchall()
    )
    stale: list[tuple[Relation, set[str]]] = []
    for table in raw_tables():
        there = stored.get(table.name, {})
        changed = {name for name, meaning in table.columns.items() if name in there and there[name] != meaning}
        if table.name in titles and (changed or titles[table.name] != comment_of(table)):
            stale.append((table, changed))

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        for table, changed in stale:
            connection.execute(f'COMMENT ON TABLE lake.main."{table.name}" IS {quote_text(comment_of(table))}')
            comment_columns(connection, table, changed)

    if stale:
        warehouse.transaction(work)
    return len(stale)

"""Stable views: columns and types that a saved report may count on, under a name that carries their version (``runs_v1``).

``stable_views.csv`` is the promise: view, column, type, and where the column comes from (empty: the column of that name of the
table that the view is named for). Columns may be added at the end. A change that takes a column away, renames it, changes its
type or its meaning is made as ``…_v2``, beside which ``…_v1`` goes on answering for one release, if need be by an expression as
its source. No column needs quotes: beside ``at``, ``by``, ``offset`` and ``partition``, words of SQL, or in their place, stand
``occurred_at``, ``dimension``, ``kafka_offset`` and ``kafka_partition``.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import duckdb

from warehouse.extensions import quote_text
from warehouse.headers import Relation

FILE = Path(__file__).with_name("stable_views.csv")
_NAME = re.compile(r"(\w+)_v\d+")


class Promise(NamedTuple):
    """One column of a stable view: its type, and the expression over the view's table that it is (empty: the column itself)."""

    view: str
    column: str
    type: str
    source: str


def read_promises(file: Path = FILE) -> list[Promise]:
    """The promises of a file, in order."""
    with file.open(encoding="utf-8", newline="") as opened:
        return [Promise(**row) for row in csv.DictReader(opened)]


@cache
def views() -> dict[str, tuple[Promise, ...]]:
    """The stable views: the columns of each."""
    found: dict[str, list[Promise]] = {}
    for promise in read_promises():
        found.setdefault(promise.view, []).append(promise)
    return {view: tuple(columns) for view, columns in found.items()}


def table_of(view: str) -> str:
    """The table that a stable view reads.

    Examples
    --------
    >>> table_of("cost_per_outcome_v1")
    'cost_per_outcome'
    """
    match = _NAME.fullmatch(view)
    assert match, view
    return match[1]


def relations(documented: Iterable[Relation]) -> list[Relation]:
    """The stable views as relations, by what is documented of their tables; a column says whose other name it is."""
    tables = {one.name: one for one in documented}
    return [_relation(view, columns, tables[table_of(view)]) for view, columns in views().items()]


def _relation(view: str, columns: tuple[Promise, ...], table: Relation) -> Relation:
    meanings: dict[str, str] = {}
    for each in columns:
        of = each.source.strip('"') or each.column
        meaning = table.columns.get(of, f"`{each.source}`.")
        meanings[each.column] = meaning if of == each.column else f"{meaning} Column `{of}` of `{table.name}`."
    promise = f"Stable columns of `{table.name}`: they change only under a new version."
    return Relation(
        kind="stable view",
        name=view,
        grain=table.grain,
        notes=(table.notes[0], promise),
        columns=meanings,
        keys=table.keys,
    )


def broken(promised: Iterable[Promise], offered: Iterable[Promise]) -> list[str]:
    """What `offered` takes away of what was promised: a line per view or column that is gone, moved or of another type."""
    now: dict[str, list[tuple[str, str]]] = {}
    for promise in offered:
        now.setdefault(promise.view, []).append((promise.column, promise.type))
    then: dict[str, list[tuple[str, str]]] = {}
    for promise in promised:
        then.setdefault(promise.view, []).append((promise.column, promise.type))
    lines: list[str] = []
    for view, columns in then.items():
        if view not in now:
            lines.append(f"{view} is gone")
            continue
        for place, (column, kind) in enumerate(columns):
            here = now[view][place] if place < len(now[view]) else None
            if here != (column, kind):
                lines.append(f"{view}.{column} {kind} is {' '.join(here) if here else 'gone'}")
    return lines


def stale(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> dict[str, str]:
    """Stable views of those tables that are missing or of another promise, and what they should select."""
    wanted = set(tables)
    stored = dict(
        connection.execute("SELECT view_name, comment FROM duckdb_views() WHERE database_name = 'lake'").fetchall()
    )
    selects = {view: _sql(view, columns) for view, columns in views().items() if table_of(view) in wanted}
    return {view: sql for view, sql in selects.items() if stored.get(view) != _mark(view, sql)}


def put(connection: duckdb.DuckDBPyConnection, tables: Iterable[str]) -> None:
    """Make the `stale` ones anew, in the caller's transaction."""
    for view, sql in stale(connection, tables).items():
        connection.execute(f'CREATE OR REPLACE VIEW lake.main."{view}" AS {sql}')
        connection.execute(f'COMMENT ON VIEW lake.main."{view}" IS {quote_text(_mark(view, sql))}')


def _mark(view: str, sql: str) -> str:
    digest = hashlib.sha256(sql.encode()).hexdigest()[:12]
    return f"Stable columns of {table_of(view)}: they change only under a new version. [stable {digest}]"


def _sql(view: str, columns: tuple[Promise, ...]) -> str:
    listed = ", ".join(
        f'CAST({each.source or chr(34) + each.column + chr(34)} AS {each.type}) AS "{each.column}"' for each in columns
    )
    return f'SELECT {listed} FROM lake.main."{table_of(view)}"'  # noqa: S608 - our names

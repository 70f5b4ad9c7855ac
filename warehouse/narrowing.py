"""The rows of affected runs in place of whole tables: what a mart that is computed in part reads (`warehouse.incremental`).

The marts of one refresh are mostly computed of the same runs. So a table's rows of them are copied once, with all columns that
any of these marts reads, and the next mart reads the same copy as long as neither the runs nor the table have changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import duckdb

from warehouse.headers import Relation
from warehouse.incremental import AFFECTED, Affected
from warehouse.registry import models, upstream, views_of

if TYPE_CHECKING:
    from warehouse.lake import Warehouse

#: What is copied: for marts of which kind, of which table, of which runs, as of which snapshot.
KEPT = "temp.main.kept_copies"
#: A larger copy is dropped when its mart is computed.
MOST_ROWS = 500_000
_WORD = re.compile(r"\w+")


@cache
def keyed(name: str) -> frozenset[str]:
    """Tables and marts that a mart reads and that have a run_id."""
    return frozenset(table for table in upstream(name) if "run_id" in _columns()[table])


@cache
def _columns() -> dict[str, set[str]]:
    """Names of the columns of each raw table and model."""
    from warehouse.dictionary import raw_tables  # here: it reads the models too

    return {relation.name: set(relation.columns) for relation in [*raw_tables(), *models().values()]}


@cache
def _columns_read(kind: str) -> dict[str, set[str]]:
    """Of tables with a run_id, the columns that marts read which are incremental by `kind`.

    Columns whose names do not occur in such a mart's text are left out: of `spans`, whose texts are nine tenths of it, only the
    narrow ones have to be read and held.
    """
    found: dict[str, set[str]] = {}
    for mart in models().values():
        if mart.incremental == kind:
            texts = " ".join([mart.sql, *mart.columns, *(view.sql for view in views_of(mart.name))])
            for table in keyed(mart.name):
                found.setdefault(table, {"run_id"}).update(_columns()[table] & set(_WORD.findall(texts)))
    return found


@contextmanager
def narrowed(warehouse: Warehouse, mart: Relation, affected: Affected, now: int) -> Iterator[None]:
    """While it lasts, the connection sees of what `mart` reads the rows of affected runs only, in views of the lake as well.

    Of nothing where these are not few.

    Parameters
    ----------
    now : int
        The snapshot that is read.
    """
    connection = warehouse.connection
    kind, tables = mart.incremental, sorted(keyed(mart.name)) if affected.is_few else []
    runs = _fingerprint(connection, affected) if tables else ""
    current = _current(warehouse, kind, runs, now) if tables else set()
    large: list[str] = []
    for table in tables:
        copy = f'temp.main."kept_{kind}_{table}"'
        if table not in current:
            if _copy(connection, copy, kind, table, affected) > MOST_ROWS:
                large.append(table)
            connection.execute(f"INSERT INTO {KEPT} VALUES (?, ?, ?, ?)", [kind, table, runs, now])  # noqa: S608 - our name
        connection.execute(f'CREATE OR REPLACE TEMP VIEW "{table}" AS SELECT * FROM {copy}')  # noqa: S608 - our names
    yield
    for table in tables:  # where something failed, the reading's end takes them back
        connection.execute(f'DROP VIEW temp."{table}"')
    for table in large:
        _forget(connection, kind, table)


def _fingerprint(connection: duckdb.DuckDBPyConnection, affected: Affected) -> str:
    """The same for the same runs, whose spans are looked for from the same time on."""
    hashes = f"SELECT count(*), bit_xor(hash(run_id)), sum(hash(run_id)) FROM (SELECT DISTINCT run_id FROM {AFFECTED})"  # noqa: S608 - our name
    row = connection.execute(hashes).fetchone()
    return f"{row} {affected.since}"


def _current(warehouse: Warehouse, kind: str, runs: str, now: int) -> set[str]:
    """Tables of which there is a copy for marts of that kind, of these runs, and that are still what they were then.

    What else was copied for marts of that kind is dropped.
    """
    connection = warehouse.connection
    connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {KEPT} (kind VARCHAR, table_name VARCHAR, runs VARCHAR, snapshot BIGINT)"
    )
    copies = connection.execute(f"SELECT table_name, runs, snapshot FROM {KEPT} WHERE kind = ?", [kind]).fetchall()  # noqa: S608 - our name
    current: set[str] = set()
    for table, of_runs, snapshot in copies:
        since = warehouse.log.changes(snapshot, now) if snapshot <= now else None
        if of_runs == runs and since is not None and table not in since.changed:
            current.add(table)
        else:
            _forget(connection, kind, table)
    return current


def _copy(connection: duckdb.DuckDBPyConnection, copy: str, kind: str, table: str, affected: Affected) -> int:
    """Number of rows copied."""
    # A statement about a session or a trace names no run: views find it among the affected ones.
    unnamed = "run_id IS NULL OR " if table == "outcomes" else ""
    listed = ", ".join(f'"{column}"' for column in sorted(_columns_read(kind)[table]))
    row = connection.execute(
        f'CREATE OR REPLACE TEMP TABLE {copy} AS SELECT {listed} FROM lake.main."{table}" '  # noqa: S608 - our names
        f"WHERE ({unnamed}run_id IN (SELECT run_id FROM {AFFECTED})){affected.narrow(_columns()[table])}"
    ).fetchone()
    return row[0] if row else 0


def _forget(connection: duckdb.DuckDBPyConnection, kind: str, table: str) -> None:
    connection.execute(f'DROP TABLE IF EXISTS temp.main."kept_{kind}_{table}"')
    connection.execute(f"DELETE FROM {KEPT} WHERE kind = ? AND table_name = ?", [kind, table])  # noqa: S608 - our name

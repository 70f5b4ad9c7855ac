"""Build the marts: one SQL file each, in the order in which they read one another.

A mart is computed first, of one snapshot and into a table outside the lake, and only its rows are written in a transaction:
the stream does not wait while it is computed. Readers see the old mart until the new one is committed. A mart is left as it is
where nothing that it reads has changed since its last build. Of one that is incremental only the rows of runs that changed are
computed (`warehouse.incremental`); the result is the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import date

import duckdb

from warehouse import describing, incremental, marks, narrowing, queries, stable, statistics
from warehouse.errors import WarehouseError
from warehouse.extensions import quote_text
from warehouse.headers import Relation
from warehouse.lake import Warehouse
from warehouse.model_views import put_live_views, put_views_of
from warehouse.registry import by_day, models, names, upstream, version

__all__ = ["Built", "build", "built_from", "by_day", "kept_since", "models", "names", "put_live_views", "upstream"]

_COMPUTED = "temp.main.computed_mart"


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did.

    Attributes
    ----------
    rows : int
        Rows that the mart holds now.
    days : dict[date, int]
        Of a mart by day, the days that were computed, in order, with their rows; empty for others, and where nothing changed.
    seconds : float
        How long it took.
    """

    rows: int
    days: dict[date, int] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)


def kept_since(warehouse: Warehouse, name: str, now: int | None = None) -> date | None:
    """First day of which retention left the mart, and all that it reads directly or not, whole; None when all is.

    Parameters
    ----------
    now : int, optional
        The snapshot that is read, where the caller knows it.
    """
    read, found = [name], {name}
    while read:
        new = (upstream(table) if (table := read.pop()) in names() else set()) - found
        read += new
        found |= new
    now = warehouse.snapshot() if now is None else now
    kept = warehouse.log.kept("retention", {"retention"}, now, lambda: _retained(warehouse))
    return max((since for table, since in kept if table in found), default=None)


def _retained(warehouse: Warehouse) -> list[tuple[str, date]]:
    return warehouse.connection.execute("SELECT table_name, kept_since FROM retention").fetchall()


def build(
    warehouse: Warehouse,
    name: str,
    *,
    whole: bool = False,
    days: tuple[date, date] | None = None,
    before_writing: Callable[[], None] = lambda: None,
) -> Built:
    """Compute the mart anew, put its rows in place of the old ones, and say how many there are.

    Rows of a period before :func:`kept_since` can't be computed again: they are kept as the last build left them, under
    their key, so that neither a remainder of what was deleted nor a late delivery takes their place.

    Parameters
    ----------
    whole : bool
        Compute all of it, also where only some runs changed.
    days : tuple of date, optional
        First and last of the days to compute, changed or not, and no others; of a mart :func:`by_day` only. What changed of
        other days stays for the next build without them. A mart that was never built, or by another version of its model, is
        computed whole all the same.
    before_writing : callable
        Called when the rows are computed and not yet put in place; what it raises ends the build, and nothing has changed.

    Raises
    ------
    WarehouseError
        If there is no such mart, or one that it reads has not been built, or the days can't be computed by themselves.
    """
    if name not in names():
        raise WarehouseError(
            f"there is no mart {name!r}", "warehouse/models/marts", f"choose from {', '.join(names())}"
        )
    mart, began = models()[name], time.perf_counter()
    if days is not None:
        _require_days(warehouse, name, *days)
    try:
        put_views_of(warehouse, name)
        try:
            computed = _compute(warehouse, mart, whole, days)
        except incremental.FeedGone:
            computed = _compute(warehouse, mart, True, days)
        if isinstance(computed, Built):
            return replace(computed, seconds=time.perf_counter() - began)
        before_writing()
        before, rows = warehouse.transaction(
            lambda connection: (warehouse.snapshot(), _write(connection, mart, computed))
        )
        # Of `runs` the feed tells more: on which days they started before.
        if (
            computed.affected is not None
            and computed.snapshot is not None
            and name != "runs"
            and mart.incremental == "run_id"
        ):
            incremental.note_built(warehouse, name, computed.snapshot, before)
        return Built(rows, computed.days, time.perf_counter() - began)
    except duckdb.CatalogException as error:
        reads = ", ".join(sorted(upstream(name) & set(names())))
        raise WarehouseError(
            f"mart {name} can't be built", str(warehouse.path), f"build {reads} first ({error})"
        ) from error
    finally:
        for table in (_COMPUTED, *incremental.MADE):
            warehouse.connection.execute(f"DROP TABLE IF EXISTS {table}")


@dataclass(frozen=True, slots=True)
class _Computed:
    """Rows of a mart in `_COMPUTED`, and what they take the place of.

    Attributes
    ----------
    affected : incremental.Affected | None
        The runs or days whose rows they are; None where they are all.
    snapshot : int | None
        What the mart is computed from then; None where that stays as it was.
    is_new : bool
        The mart is not there, or its columns are not these: a table has to be made.
    kept : str
        Condition that rows meet which may be replaced.
    days : dict[date, int]
        Rows by day.
    """

    affected: incremental.Affected | None
    snapshot: int | None
    is_new: bool
    kept: str
    days: dict[date, int]


def built_from(warehouse: Warehouse, name: str) -> int | None:
    """Latest snapshot of which the mart's rows are known to be right; None when it is not there, or by another model.

    The one that it was computed from, or the current one where nothing that it reads has changed since.
    """
    since = marks.built_from(warehouse, name, version(name))
    now = warehouse.query("SELECT id FROM ducklake_current_snapshot('lake')").item()
    if since is None:
        return None
    changes = marks.changes(warehouse, since, now)
    return now if changes is not None and not changes.changed & _inputs(name) else since


def are_partly_new(warehouse: Warehouse) -> bool:
    """Whether a refresh computes mostly what changed, as far as `runs` tells, from which nearly all of them follow."""
    name = "runs"
    since = marks.built_from(warehouse, name, version(name))
    changes = marks.changes(warehouse, since, warehouse.snapshot()) if since is not None else None
    if changes is None:
        return False
    keyed = narrowing.keyed(name)
    return not changes.changed & (_inputs(name) - keyed - {"event_clock"}) and not changes.replaced & keyed


def _inputs(name: str) -> set[str]:
    """All that a mart's rows follow from: what it reads, and what retention deleted of that."""
    return upstream(name) | {"retention"}


def _compute(warehouse: Warehouse, mart: Relation, whole: bool, days: tuple[date, date] | None) -> _Computed | Built:
    """Fill `_COMPUTED` from one snapshot; where there is nothing to compute, say what the mart holds."""
    connection = warehouse.connection
    with warehouse.reading() as snapshot:
        now: int | None = snapshot
        since = marks.built_from(warehouse, mart.name, version(mart.name))
        keyed = narrowing.keyed(mart.name)
        affected = None
        if days and since is not None:
            runs = None if whole else marks.built_from(warehouse, "runs", version("runs"))
            pending = None if runs is None else (runs, snapshot)
            affected = incremental.find_days(warehouse, *days, pending)
            now = None  # by the old mark the next build finds what else has changed, and runs that left these days
        elif since is not None and not whole:
            changes = marks.changes(warehouse, since, snapshot)
            if changes is not None:
                changes = marks.Changes(changes.changed & _inputs(mart.name), changes.replaced & _inputs(mart.name))
                if not changes.changed:
                    return Built(_count(connection, mart.name))
                if mart.incremental:
                    affected = incremental.find_affected(warehouse, mart, keyed, changes, since, snapshot)
        kept_from = kept_since(warehouse, mart.name, snapshot)
        if affected is None:
            is_large = since is None or whole or bool(mart.incremental)
            with warehouse.on_all_threads() if is_large else nullcontext():
                connection.execute(f"CREATE OR REPLACE TEMP TABLE {_COMPUTED} AS {mart.sql}")
            if mart.incremental == "date":
                _note_all_days(connection, mart.name, since is not None)
        else:
            with narrowing.narrowed(warehouse, mart, affected, snapshot):
                connection.execute(f"CREATE OR REPLACE TEMP TABLE {_COMPUTED} AS {mart.sql}")
            if not affected.is_few:
                others = f"date NOT IN (SELECT date FROM {incremental.DAYS})"  # noqa: S608 - our name
                connection.execute(f"DELETE FROM {_COMPUTED} WHERE {others}")  # noqa: S608 - our names
        if kept_from is not None and mart.period:
            columns = _leave_out(warehouse, mart, kept_from)
            if affected is None and columns:
                _carry_over(connection, mart, columns, kept_from)
        is_new = since is None or (affected is None and bool(mart.incremental))
        kept = "true" if kept_from is None else f"coalesce(\"{mart.period}\" >= DATE '{kept_from:%Y-%m-%d}', true)"
        return _Computed(affected, now, is_new, kept, _days_computed(connection, mart, kept_from))


def _require_days(warehouse: Warehouse, name: str, first: date, last: date) -> None:
    if name not in by_day():
        raise WarehouseError(
            f"mart {name} can't be computed by days", "warehouse/models/marts", f"choose from {', '.join(by_day())}"
        )
    if last < first:
        raise WarehouseError(f"no days from {first} to {last}", f"mart {name}", "give the earlier day first")
    since = kept_since(warehouse, name)
    if since is not None and f"{first}" < f"{since:%Y-%m-%d}":
        raise WarehouseError(
            f"mart {name} can't be computed from {first} on",
            str(warehouse.path),
            f"begin at {since:%Y-%m-%d}: retention deleted rows that earlier days are made of",
        )


def _note_all_days(connection: duckdb.DuckDBPyConnection, name: str, is_there: bool) -> None:
    """Fill `incremental.DAYS` with those of the computed mart, and of the one that it takes the place of."""
    before = f' UNION SELECT date FROM lake.main."{name}"' if is_there else ""  # noqa: S608 - our names
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {incremental.DAYS} AS SELECT date FROM {_COMPUTED}{before}")  # noqa: S608 - our names


def _days_computed(connection: duckdb.DuckDBPyConnection, mart: Relation, since: date | None) -> dict[date, int]:
    """Rows of what was computed, by day; of days that were kept as they were there is nothing to say."""
    if mart.incremental != "date":
        return {}
    return dict(connection.execute(queries.sql("rows_of_days"), {"since": since}).fetchall())


def _count(connection: duckdb.DuckDBPyConnection, name: str) -> int:
    return _rows(connection, f'SELECT count(*) FROM lake.main."{name}"')  # noqa: S608 - our name


def _rows(connection: duckdb.DuckDBPyConnection, statement: str) -> int:
    row = connection.execute(statement).fetchone()
    return row[0] if row else 0


def _write(connection: duckdb.DuckDBPyConnection, mart: Relation, computed: _Computed) -> int:
    """Put the computed rows in place of those that they replace."""
    table, affected = f'lake.main."{mart.name}"', computed.affected
    if computed.is_new:
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT * FROM {_COMPUTED}")  # noqa: S608 - our names
        connection.execute(f"COMMENT ON TABLE {table} IS {_mark(mart, computed.snapshot or 0)}")
        describing.comment_columns(connection, mart)
        stable.put(connection, [mart.name])
        if not (rows := _count(connection, mart.name)):
            statistics.put_of(connection, mart.name)
        return rows
    replaced = "true"
    if affected is not None:
        by = mart.incremental
        again = f"SELECT {by} FROM {incremental.AFFECTED if by == 'run_id' else incremental.DAYS}"  # noqa: S608 - our names
        replaced = f"{by} IN ({again}) AND {computed.kept}{affected.narrow(mart.columns.keys())}"
    deleted = _rows(connection, f"DELETE FROM {table} WHERE {replaced}")  # noqa: S608 - our names
    inserted = _rows(connection, f"INSERT INTO {table} BY NAME SELECT * FROM {_COMPUTED}")  # noqa: S608 - our names
    stable.put(connection, [mart.name])
    if computed.snapshot is not None and deleted + inserted:
        marks.leave_mart(connection, mart.name, version(mart.name), computed.snapshot)
    elif computed.snapshot is not None:  # a transaction that changes nothing is no snapshot, and leaves no message
        connection.execute(f"COMMENT ON TABLE {table} IS {_mark(mart, computed.snapshot)}")
    return inserted if replaced == "true" else _count(connection, mart.name)


def _carry_over(connection: duckdb.DuckDBPyConnection, mart: Relation, columns: str, since: date) -> None:
    """Put the old mart's rows of periods that are gone in place of what could be computed of them."""
    connection.execute(
        f'INSERT INTO {_COMPUTED} BY NAME SELECT {columns} FROM lake.main."{mart.name}" '  # noqa: S608 - our names
        f'WHERE "{mart.period}" < ?',
        [since],
    )


def _leave_out(warehouse: Warehouse, mart: Relation, since: date) -> str:
    """Delete from what was computed the rows of periods before `since`, and those of a run of which the old mart has one.

    Returns
    -------
    str
        Columns that the old mart has as well, quoted and with commas; '' where there is none.
    """
    gone = f'"{mart.period}" < ?'
    warehouse.connection.execute(f"DELETE FROM {_COMPUTED} WHERE {gone}", [since])  # noqa: S608 - our names
    describe = "SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND table_name = ?"
    old = warehouse.query(describe, ["lake", mart.name])["column_name"].to_list()
    columns = ", ".join(f'"{column}"' for column in old if column in mart.columns)
    if columns:
        same = " AND ".join(f'c."{key}" IS NOT DISTINCT FROM k."{key}"' for key in mart.grain.split(", "))
        warehouse.connection.execute(
            f'DELETE FROM {_COMPUTED} AS c USING lake.main."{mart.name}" AS k WHERE k.{gone} AND {same}',  # noqa: S608 - our names
            [since],
        )
    return columns


def _mark(mart: Relation, snapshot: int) -> str:
    """The mart's comment: what it is, by which model, and which snapshot of the lake it comes from, or a later one."""
    return quote_text(f"{describing.comment_of(mart)} {marks.in_comment(version(mart.name), snapshot)}")

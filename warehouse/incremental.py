"""What of a mart has to be computed again: the runs that changed since its last build, by the lake's own change feed.

For marts whose header says ``incremental: run_id``. Each of their rows follows from the rows of its run alone, from the catalog
(where that changed, all is computed again), and from the clock (open and pending runs are computed each time). So the mart's
SELECT, run over the rows of the changed runs, gives what it would give for them over everything. The same holds of marts that
say ``incremental: date`` and the days on which these runs start, and of any days that are asked for (:func:`find_days`).
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import duckdb

from warehouse import queries
from warehouse.headers import Relation
from warehouse.lake import Warehouse

#: Runs to compute again, run_id; in memory.
AFFECTED = "memory.main.affected_runs"
#: Days to compute again, date: of marts by day, and then AFFECTED holds all runs that start on them.
DAYS = "memory.main.affected_days"
#: Above this share of its runs a mart is computed whole: that takes no longer, and leaves it sorted.
MOST = 0.2
#: Moves with every span; which `runs` its move changes, a query knows.
_CLOCK = "event_clock"


@dataclass(frozen=True, slots=True)
class Affected:
    """What is to be computed again: the runs in :data:`AFFECTED`.

    Attributes
    ----------
    since : datetime | None
        None of their spans starts earlier; None where that is not known, because a span has no time or a wrong one.
    is_few : bool
        They are so few that it pays to look at their rows alone.
    """

    since: datetime | None
    is_few: bool = True

    def narrow(self, columns: Set[str]) -> str:
        """Condition that rows of affected runs meet beside, and that lets the lake leave files of earlier days unread."""
        return f" AND started_at >= TIMESTAMP '{self.since}'" if self.since and "started_at" in columns else ""


def find_affected(
    warehouse: Warehouse, mart: Relation, keyed: set[str], others: set[str], since: int, now: int
) -> Affected | None:
    """Fill :data:`AFFECTED` with the runs of `mart` that changed after snapshot `since`, up to `now`.

    Parameters
    ----------
    keyed, others : set of str
        Tables and marts that it reads, with a run_id and without one.

    Returns
    -------
    Affected | None
        None where all must be computed: another table changed, the snapshot is gone, or too many runs are affected.
    """
    connection = warehouse.connection
    _begin(connection)
    if now == since:
        return Affected(None)
    moved = {"since": since + 1, "now": now}
    is_moved_by_the_clock = mart.name == "runs"
    changes = _changed(connection, moved)
    if changes is None:
        return None
    changed, replaced = changes
    if (replaced & keyed) | (changed & (others - {_CLOCK} if is_moved_by_the_clock else others)):
        return None
    try:
        _note_runs(connection, changed & keyed, moved)
        if "outcomes" in keyed:
            connection.execute(queries.sql("runs_drawn_in"), moved)
        if is_moved_by_the_clock:
            connection.execute(queries.sql("runs_moved_by_the_clock"))
        if mart.incremental == "date":
            if "runs" in changed:
                connection.execute(queries.sql("days_of_changed_runs"), moved)
            connection.execute(queries.sql("days_of_affected_runs"))
            connection.execute(queries.sql("runs_of_affected_days"))
        first, is_known, affected, whole = _row(connection, queries.sql("span_of_affected_runs"), moved)
    except duckdb.Error:  # compaction has expired the snapshot meanwhile
        return None
    return Affected(first if is_known else None) if affected <= MOST * whole else None


def find_days(warehouse: Warehouse, first: date, last: date) -> Affected:
    """Fill :data:`DAYS` with the days from `first` to `last`, and :data:`AFFECTED` with the runs that start on them.

    Their spans may start earlier than `runs` says, where a late one came after it was built: all files are read.
    """
    connection = warehouse.connection
    _begin(connection)
    connection.execute(queries.sql("days_between"), {"first": first, "last": last})
    connection.execute(queries.sql("runs_of_affected_days"))
    affected, whole = _row(connection, queries.sql("share_of_affected_runs"), None)
    return Affected(None, is_few=affected <= MOST * whole)


def _begin(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(f"CREATE OR REPLACE TABLE {AFFECTED} (run_id VARCHAR PRIMARY KEY)")
    connection.execute(f"CREATE OR REPLACE TABLE {DAYS} (date DATE)")


def _changed(connection: duckdb.DuckDBPyConnection, moved: dict[str, int]) -> tuple[set[str], set[str]] | None:
    """Tables with other rows than before, and those of them that were replaced as a whole; None where that is not known."""
    found = connection.execute(queries.sql("tables_changed"), moved).fetchall()
    if (None, True) in found:
        return None
    return {table for table, _ in found}, {table for table, is_new in found if is_new}


def _note_runs(connection: duckdb.DuckDBPyConnection, tables: set[str], moved: dict[str, int]) -> None:
    """Add the runs of changed rows to :data:`AFFECTED`."""
    for table in sorted(tables):
        connection.execute(
            f"INSERT OR IGNORE INTO {AFFECTED} SELECT DISTINCT run_id "  # noqa: S608 - our name
            "FROM ducklake_table_changes('lake', 'main', ?, ?, ?) WHERE run_id IS NOT NULL",
            [table, moved["since"], moved["now"]],
        )


def _row(connection: duckdb.DuckDBPyConnection, sql: str, params: object) -> tuple[Any, ...]:
    row = connection.execute(sql, params).fetchone()
    assert row is not None, "an aggregate has one row"
    return row


@contextmanager
def narrowed(warehouse: Warehouse, keyed: dict[str, set[str]], affected: Affected) -> Iterator[None]:
    """While it lasts, the connection sees of these tables the rows of affected runs only, in views of the lake as well.

    Parameters
    ----------
    keyed : dict[str, set of str]
        Columns of each of the tables.
    """
    connection = warehouse.connection
    made: list[str] = []

    def make(name: str, select: str) -> None:
        connection.execute(f'CREATE OR REPLACE TEMP TABLE "{name}" AS {select}')
        made.append(f'DROP TABLE temp."{name}"')

    try:
        for table, columns in sorted(keyed.items()):
            # A statement about a session or a trace names no run: views find it among the affected ones.
            unnamed = "run_id IS NULL OR " if table == "outcomes" else ""
            make(
                table,
                f'SELECT * FROM lake.main."{table}" '  # noqa: S608 - our names
                f"WHERE ({unnamed}run_id IN (SELECT run_id FROM {AFFECTED})){affected.narrow(columns)}",
            )
        yield
    finally:
        for drop in made:
            connection.execute(drop)

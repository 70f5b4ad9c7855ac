"""What of a mart has to be computed again: the runs that changed since its last build, by the lake's own change feed.

For marts whose header says ``incremental: run_id``. Each of their rows follows from the rows of its run alone, from the catalog
(where that changed, all is computed again), and from the clock (it moves runs that were open or pending). So the mart's
SELECT, run over the rows of the changed runs, gives what it would give for them over everything. The same holds of marts that
say ``incremental: date`` and the days on which these runs start, and of any days that are asked for (:func:`find_days`).

All of this is asked inside `Warehouse.reading`: of one snapshot.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb

from warehouse import queries
from warehouse.headers import Relation
from warehouse.marks import Changes

if TYPE_CHECKING:
    from warehouse.lake import Warehouse

#: Runs to compute again, run_id, some of them more than once; of those that start on days to compute their start, and whether it
#: can be trusted; in memory.
AFFECTED = "temp.main.affected_runs"
#: Days to compute again, date: of marts by day, and then AFFECTED holds all runs that start on them.
DAYS = "temp.main.affected_days"
#: What is made for one build.
MADE = (AFFECTED, DAYS)
#: What the change feed told, kept for the other marts of a refresh: runs that changed by table, and of which snapshots.
FEED = ("temp.main.changed_runs", "temp.main.feed_read")
#: Above this share of its runs a mart is computed whole: that takes no longer, and leaves it sorted.
MOST = 0.2
#: Moves with every span; which `runs` its move changes, a query knows.
_CLOCK = "event_clock"


class FeedGone(Exception):
    """The change feed can't say what changed: compaction has expired a snapshot meanwhile."""


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
    warehouse: Warehouse, mart: Relation, keyed: Set[str], changes: Changes, since: int, now: int
) -> Affected | None:
    """Fill :data:`AFFECTED` with the runs of `mart` that changed after snapshot `since`, up to `now`.

    Parameters
    ----------
    keyed : set of str
        Tables and marts that it reads and that have a run_id.
    changes : Changes
        What changed of the tables and marts that it reads.

    Returns
    -------
    Affected | None
        None where all must be computed: another table changed, or too many runs are affected.

    Raises
    ------
    FeedGone
        A snapshot of the range is gone.
    """
    connection = warehouse.connection
    begin(connection)
    is_moved_by_the_clock = mart.name == "runs"
    others = changes.changed - keyed - ({_CLOCK} if is_moved_by_the_clock else set())
    if others or changes.replaced & keyed:
        return None
    changed = changes.changed & keyed
    try:
        for table in sorted(changed):
            _read_feed(warehouse, table, since, now)
        if is_moved_by_the_clock or "outcomes" in keyed:
            found = _found(warehouse, mart, keyed, changes, since, now)
        else:
            found = _found_before(warehouse, mart, keyed, changes, since, now)
    except duckdb.Error as error:
        raise FeedGone from error
    first, is_known, affected, whole = found
    return Affected(first if is_known else None) if affected <= MOST * whole else None


def _found(
    warehouse: Warehouse, mart: Relation, keyed: Set[str], changes: Changes, since: int, now: int
) -> tuple[Any, ...]:
    """Fill :data:`AFFECTED` by what the feeds told, and :data:`DAYS`; the row of `span_of_affected_runs`."""
    connection, changed = warehouse.connection, changes.changed & keyed
    told = {"told": "runs" in changed}
    _note_runs(connection, changed)
    if "outcomes" in keyed:
        connection.execute(queries.sql("runs_drawn_in"), {"since": since + 1, "now": now})
    if mart.name == "runs" and _CLOCK in changes.changed:
        connection.execute(queries.sql("runs_moved_by_the_clock"))
    if mart.incremental == "date":
        if "runs" in changed:
            connection.execute(queries.sql("days_of_changed_runs"))
        connection.execute(queries.sql("days_of_affected_runs"), told)
        _note_runs_of_days(connection)
    return _row(connection, queries.sql("span_of_affected_runs"), told)


def _found_before(
    warehouse: Warehouse, mart: Relation, keyed: Set[str], changes: Changes, since: int, now: int
) -> tuple[Any, ...]:
    """As `_found`, of the last mart of that kind where the feeds told of the same runs and these are what they were then."""
    connection, kind, changed = warehouse.connection, mart.incremental, changes.changed & keyed
    of = f"{_row(connection, queries.sql('fingerprint_of_changed_runs'), [sorted(changed)])} {'runs' in changed}"
    before: dict[str, tuple[Any, ...]] = warehouse.log.kept(f"affected by {kind}", {"runs", "spans"}, now, dict)
    kept = {AFFECTED: f"temp.main.kept_affected_{kind}", DAYS: f"temp.main.kept_days_{kind}"}
    if of in before:
        for table, copy in kept.items():
            connection.execute(f"INSERT INTO {table} FROM {copy}")
    else:
        before.clear()
        found = _found(warehouse, mart, keyed, changes, since, now)
        for table, copy in kept.items():
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {copy} AS FROM {table}")
        before[of] = found
    return before[of]


def find_changed(warehouse: Warehouse, changes: Changes, tables: Set[str], since: int, now: int) -> Affected | None:
    """Fill :data:`AFFECTED` with the runs of which rows in `tables` changed after snapshot `since`, up to `now`.

    Returns
    -------
    Affected | None
        None where one of the tables was put there anew.

    Raises
    ------
    FeedGone
        A snapshot of the range is gone.
    """
    connection = warehouse.connection
    begin(connection)
    if changes.replaced & tables:
        return None
    try:
        changed = changes.changed & tables
        for table in sorted(changed):
            _read_feed(warehouse, table, since, now)
        _note_runs(connection, changed)
        told = {"told": "runs" in changed}
        first, is_known, *_ = _row(connection, queries.sql("span_of_affected_runs"), told)
    except duckdb.Error as error:
        raise FeedGone from error
    return Affected(first if is_known else None)


def find_days(warehouse: Warehouse, first: date, last: date, pending: tuple[int, int] | None) -> Affected:
    """Fill :data:`DAYS` with the days from `first` to `last`, and :data:`AFFECTED` with the runs that start on them.

    Parameters
    ----------
    pending : tuple of int, optional
        Snapshots (after which, up to which) whose spans `runs` does not know yet: they may start earlier than it says. None
        where that is not known, and then all files are read.

    Raises
    ------
    FeedGone
        A snapshot of the range is gone.
    """
    connection = warehouse.connection
    begin(connection)
    connection.execute(queries.sql("days_between"), {"first": first, "last": last})
    _note_runs_of_days(connection)
    try:
        if pending is not None and pending[0] < pending[1]:
            _read_feed(warehouse, "spans", *pending)
        told = {"told": False}
        earliest, is_known, affected, whole = _row(connection, queries.sql("span_of_affected_runs"), told)
    except duckdb.Error as error:
        raise FeedGone from error
    return Affected(earliest if is_known and pending is not None else None, is_few=affected <= MOST * whole)


def begin(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables of this module, those of one build empty."""
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {AFFECTED} (run_id VARCHAR, started_at TIMESTAMP, is_known BOOLEAN)"
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {DAYS} (date DATE)")
    connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {FEED[0]} (table_name VARCHAR, run_id VARCHAR, started_at TIMESTAMP, is_known BOOLEAN)"
    )
    connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {FEED[1]} (table_name VARCHAR, since BIGINT, begun BIGINT, until BIGINT)"
    )


def _note_runs(connection: duckdb.DuckDBPyConnection, tables: Set[str]) -> None:
    """Add the runs of changed rows, as the feeds of `tables` told of them, to :data:`AFFECTED`."""
    feed = f"SELECT DISTINCT run_id FROM {FEED[0]} WHERE list_contains(?::VARCHAR[], table_name)"  # noqa: S608 - our name
    connection.execute(f"INSERT INTO {AFFECTED} (run_id) {feed}", [sorted(tables)])


def _read_feed(warehouse: Warehouse, table: str, since: int, now: int) -> None:
    """Have in :data:`FEED` what changed of a table after `since`, up to `now`, or after an earlier snapshot.

    The marts of one refresh were built one soon after the other the last time, so what was read for the first of them holds for
    the next: the runs that changed in between are a few that are computed without need. What was read in an earlier
    refresh ends before `since`, and is read anew.
    """
    connection = warehouse.connection
    known = connection.execute(
        f"SELECT until, since FROM {FEED[1]} WHERE table_name = ? AND ? < begun",  # noqa: S608 - our name
        [table, since],
    ).fetchone()
    if known is not None and since < known[1]:
        before = warehouse.log.changes(since, known[1])
        known = known if before is not None and table not in before.changed else None
    if known is None:
        for name in FEED:
            connection.execute(f"DELETE FROM {name} WHERE table_name = ?", [table])  # noqa: S608 - our names
        connection.execute(f"INSERT INTO {FEED[1]} VALUES (?, ?, ?, ?)", [table, since, now, now])  # noqa: S608 - our name
    elif known[0] < now:
        since = known[0]
        connection.execute(f"UPDATE {FEED[1]} SET until = ? WHERE table_name = ?", [now, table])  # noqa: S608 - our name
        # Most snapshots in between are of other marts of this refresh: to ask which is cheaper than to read the feed of each.
        between = warehouse.log.changes(since, now)
        if between is None:
            raise FeedGone
        if table not in between.changed:
            return
    else:
        return
    feed = "read_dated_feed" if table in ("spans", "runs") else "read_feed"
    connection.execute(queries.sql(feed), {"table": table, "since": since + 1, "now": now})


def note_built(warehouse: Warehouse, name: str, since: int, before: int) -> None:
    """Have in :data:`FEED` what a build of this connection changed: the runs in :data:`AFFECTED`, instead of reading them back.

    Not where somebody else has changed the mart meanwhile, or may have: then the feed is read.

    Parameters
    ----------
    since : int
        The snapshot that it was computed from.
    before : int
        The latest one when its rows were put in place.
    """
    connection = warehouse.connection
    now = _row(connection, "SELECT id FROM ducklake_last_committed_snapshot('lake')", None)[0]
    between = warehouse.log.changes(since, before)
    if now != before + 1 or between is None or name in between.changed:
        return
    for table in FEED:
        connection.execute(f"DELETE FROM {table} WHERE table_name = ?", [name])  # noqa: S608 - our names
    connection.execute(f"INSERT INTO {FEED[1]} VALUES (?, ?, ?, ?)", [name, since, now, now])  # noqa: S608 - our name
    runs = f"SELECT DISTINCT ?, run_id FROM {AFFECTED}"  # noqa: S608 - our name
    connection.execute(f"INSERT INTO {FEED[0]} (table_name, run_id) {runs}", [name])


def _note_runs_of_days(connection: duckdb.DuckDBPyConnection) -> None:
    """Add all runs that start on :data:`DAYS`: a literal range, so that files and groups of rows of other days stay unread."""
    first, last = _row(connection, f"SELECT min(date), max(date) FROM {DAYS}", None)  # noqa: S608 - our name
    if first is not None:
        between = {"first": first, "next": last + timedelta(days=1)}
        connection.execute(queries.sql("runs_of_affected_days"), between)


def _row(connection: duckdb.DuckDBPyConnection, sql: str, params: object) -> tuple[Any, ...]:
    row = connection.execute(sql, params).fetchone()
    assert row is not None, "an aggregate has one row"
    return row

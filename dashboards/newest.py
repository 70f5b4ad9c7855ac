"""The lake's newest snapshot, without asking the catalog when nothing has been written to it.

To ask costs some 3 ms of processor time, and every answer begins with it; to look at the catalog's files costs 0.01. SQLite
writes each commit into the write-ahead log before anybody can see it, so files that are as they were before the last question
hold no later commit. One that was about to be seen at that moment is the exception: a question within `_SETTLED_NS` of the
last write is asked again, and every answer after `_TRUSTED_SECONDS`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence, Set
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from dashboards.access.scope import Scope
from dashboards.copies import changed_tables
from dashboards.views import LIVE

# A file's time is that of the kernel's last tick, some milliseconds ago.
_SETTLED_NS = 50_000_000
_TRUSTED_SECONDS = 1.0

# Of more snapshots than this it is not asked what each changed.
_SNAPSHOTS_READ = 100

#: Tables by which the revision changes: queries/revision.sql, compared_at.sql and told_at.sql ask these.
REVISED = frozenset(
    {
        *("runs", "runs_hourly", "reuse_daily", "rollback_readiness", "scorecard_daily"),
        *("incidents", "release_comparisons", "notifications"),
    }
)

_Stamp = tuple[tuple[int, int, int], ...]


class Newest:
    """Number of the newest snapshot of one catalog.

    Parameters
    ----------
    catalog : Path
        The SQLite file.
    """

    def __init__(self, catalog: Path) -> None:
        self._files = (catalog, catalog.with_name(f"{catalog.name}-wal"))
        self._last: tuple[_Stamp, float, int] | None = None

    def snapshot(self, ask: Callable[[], int]) -> int:
        """The number as `ask` finds it in the catalog, or as it last did."""
        now, stamp = time.time_ns(), self._stamp()
        last = self._last
        if last is not None and last[0] == stamp and time.monotonic() <= last[1] + _TRUSTED_SECONDS:
            return last[2]
        asked_at = time.monotonic()
        number = ask()
        is_settled = max((changed for changed, *_ in stamp), default=now) <= now - _SETTLED_NS
        self._last = (stamp, asked_at, number) if is_settled else None
        return number

    def forget(self) -> None:
        """Ask the next time."""
        self._last = None

    def _stamp(self) -> _Stamp:
        found = []
        for file in self._files:
            try:
                of = file.stat()
            except FileNotFoundError:  # without a reader or writer there is no log
                continue
            found.append((of.st_mtime_ns, of.st_size, of.st_ino))
        return tuple(found)


Asked = Callable[[str, Sequence[Any]], pl.DataFrame]


def revision_text(asked: Asked, identity: object, there: Set[str]) -> str:
    """What pages depend on besides their filters, as `asked` finds it: see `dashboards.data.Reader.revision`.

    Parameters
    ----------
    asked : callable
        Rows of ``queries/NAME.sql`` with parameters.
    identity : object
        Which catalog it is, and as whom it is seen.
    there : set of str
        Tables that are there.
    """
    built, *live = asked("revision", ()).row(0) if "incidents" in there else ("",)
    compared = asked("compared_at", ()).row(0) if "release_comparisons" in there else ()
    live += asked("told_at", ()).row(0) if "notifications" in there else ()
    return f"{(identity, built, *map(str, compared))}{LIVE}{[*map(str, live)]}"


class Watcher:
    """Tells the revision by a connection that waits for no page.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Its own to use and to close; what it names without a schema is what the pages name.
    newest : Newest
    identity : object
        As `revision_text` has it.
    statement : callable
        Text of ``queries/NAME.sql``.
    scope : Scope | None
        Whose views the connection sees; they are looked at now and then.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        newest: Newest,
        identity: object,
        statement: Callable[[str], str],
        scope: Scope | None = None,
    ) -> None:
        self._connection, self._newest, self._identity, self._statement = connection, newest, identity, statement
        self._scope = scope
        self._lock = threading.Lock()
        self._is_open = True
        self._at = -1
        self._tables: frozenset[int] = frozenset()
        self._text = ""

    def revision(self) -> str | None:
        """The revision by now; None where the connection has been closed."""
        with self._lock:
            if not self._is_open:
                return None
            if self._scope is not None:
                self._scope.renew(self)
            if self._newest.snapshot(lambda: self._asked("snapshot").item()) > self._at:
                self._look()
            return self._text

    def query(self, sql: str, params: Sequence[Any] = ()) -> pl.DataFrame:
        """Rows of a statement."""
        return self._connection.execute(sql, list(params)).pl()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._is_open = False
            self._connection.close()

    def _look(self) -> None:
        # All of it as of one snapshot: what is told of it holds for no later one.
        self._connection.execute("BEGIN TRANSACTION")
        try:
            newest = self._asked("snapshot").item()
            if self._is_touched(newest):
                listed = {name: number for name, number, _ in self._asked("tables").rows()}
                self._text = revision_text(self._asked, self._identity, listed.keys())
                self._tables = frozenset(listed[name] for name in REVISED & listed.keys())
            self._at = newest
        finally:
            self._connection.execute("ROLLBACK")

    def _is_touched(self, newest: int) -> bool:
        """Whether a snapshot since the last look changed what a revision depends on, or made or dropped tables."""
        if not self._text or newest > self._at + _SNAPSHOTS_READ:
            return True
        changes = self._asked("changes_since", [self._at, newest])["changes_made"].to_list()
        # Of a snapshot that has expired since nothing is told.
        is_told = len(changes) == newest - self._at
        return not is_told or any(map(_makes_tables, changes)) or bool(changed_tables(changes) & self._tables)

    def _asked(self, name: str, params: Sequence[Any] = ()) -> pl.DataFrame:
        return self.query(self._statement(name), params)


def _makes_tables(changes: str) -> bool:
    """Whether a snapshot made, dropped or altered tables or views, in DuckLake's words."""
    return "created_" in changes or "dropped_" in changes or "altered_" in changes

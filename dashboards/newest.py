"""The lake's newest snapshot, without asking the catalog when nothing has been written to it.

To ask costs some 3 ms of processor time, and every answer begins with it; to look at the catalog's files costs 0.01. SQLite
writes each commit into the write-ahead log before anybody can see it, so files that are as they were before the last question
hold no later commit. One that was about to be seen at that moment is the exception: a question within `_SETTLED_NS` of the
last write is asked again, and every answer after `_TRUSTED_SECONDS`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import polars as pl

from dashboards.copies import changed_tables
from dashboards.views import Extent

# A file's time is that of the kernel's last tick, some milliseconds ago.
_SETTLED_NS = 50_000_000
_TRUSTED_SECONDS = 1.0

# Of more snapshots than this it is not asked what each changed.
_SNAPSHOTS_READ = 100

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


@dataclass(slots=True)
class Known:
    """What one snapshot of the lake holds, as far as it was asked."""

    snapshot: int
    tables: frozenset[str]
    revision: str
    revised: frozenset[int]
    extent: Extent | None = None
    extent_at: str = ""
    answers: dict[tuple[str, str], pl.DataFrame] = field(default_factory=dict)


class Watcher:
    """Says whether snapshots after one that is known left tables alone; by a connection that waits for no page.

    Parameters
    ----------
    connection : duckdb.DuckDBPyConnection
        Its own to use and to close.
    newest : Newest
    snapshot, changes : str
        The statements that ask for the newest snapshot, and for what those after ``$1`` and until ``$2`` changed.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, newest: Newest, snapshot: str, changes: str) -> None:
        self._connection, self._newest, self._snapshot, self._changes = connection, newest, snapshot, changes
        self._lock = threading.Lock()
        self._is_open = True

    def left_alone(self, known: int, tables: Set[int]) -> bool:
        """Whether no snapshot after `known` changed one of `tables` (their numbers), or made or dropped any."""
        with self._lock:
            if not self._is_open:
                return False
            newest = self._newest.snapshot(lambda: self._asked(self._snapshot)[0][0])
            if newest == known:
                return True
            if newest > known + _SNAPSHOTS_READ:
                return False
            changes = [said for _, said in self._asked(self._changes, known, newest)]
        # Of a snapshot that has expired since nothing is told.
        is_told = len(changes) == newest - known
        return is_told and not any(map(_makes_tables, changes)) and not changed_tables(changes) & tables

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._is_open = False
            self._connection.close()

    def _asked(self, statement: str, *params: int) -> list[tuple[int, str]]:
        return self._connection.execute(statement, list(params)).fetchall()


def _makes_tables(changes: str) -> bool:
    """Whether a snapshot made, dropped or altered tables or views, in DuckLake's words."""
    return "created_" in changes or "dropped_" in changes or "altered_" in changes

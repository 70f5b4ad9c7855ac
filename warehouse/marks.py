"""What a mart was computed from: a version of its model, and a snapshot of the lake; and what snapshots have changed since.

A mart that was put in place as a whole says both in its comment. A comment is a change of the schema, after which every process
on the lake reads the whole catalog again (0.1 s of CPU for each of them). So a build that exchanges rows only leaves its snapshot
in the message of its commit instead; the later of the two holds.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from warehouse import queries

if TYPE_CHECKING:
    from warehouse.lake import Warehouse

T = TypeVar("T")

_AUTHOR = "Plumbline"
_COMMENT = re.compile(r"\[model (\w+)\] \[snapshot (\d+)\]$")


@dataclass(frozen=True, slots=True)
class Changes:
    """What a range of snapshots did to tables, by name.

    Attributes
    ----------
    changed : frozenset of str
        Those with other rows than before.
    replaced : frozenset of str
        Those of them that were put there anew as a whole.
    """

    changed: frozenset[str]
    replaced: frozenset[str]


def in_comment(version: str, snapshot: int) -> str:
    """How the comment on a mart ends."""
    return f"[model {version}] [snapshot {snapshot}]"


def leave(connection: duckdb.DuckDBPyConnection, message: str, said: dict[str, Any]) -> None:
    """Say something in the message of the caller's transaction; one that changes nothing leaves none."""
    connection.execute("CALL lake.set_commit_message(?, ?, extra_info => ?)", [_AUTHOR, message, json.dumps(said)])


def left(warehouse: Warehouse, message: str) -> dict[str, Any]:
    """What the latest transaction with that message said; nothing where compaction has expired its snapshot."""
    found = warehouse.query(queries.sql("latest_message"), [message])["commit_extra_info"].to_list()
    return json.loads(found[0]) if found else {}


def leave_mart(connection: duckdb.DuckDBPyConnection, name: str, version: str, snapshot: int) -> None:
    """Say in the message of the caller's transaction which snapshot the mart is computed from."""
    leave(connection, _message(name), {"model": version, "snapshot": snapshot})


def built_from(warehouse: Warehouse, name: str, version: str) -> int | None:
    """Snapshot that a mart was computed from; None where it is not there, or was computed by another version of its model."""
    comment = warehouse.query(queries.sql("comment_of_table"), [name])["comment"].to_list()
    found = _COMMENT.search(comment[0] or "") if comment else None
    if not found or found[1] != version:
        return None
    said = left(warehouse, _message(name))
    return max(int(found[2]), int(said["snapshot"]) if said.get("model") == version else 0)


def changes(warehouse: Warehouse, since: int, now: int) -> Changes | None:
    """What the snapshots after `since`, up to `now`, changed; None where one of them is gone: then nothing is known."""
    return warehouse.log.changes(since, now)


class Log:
    """What snapshots changed, as far as this connection was told: what is in the past stays as it was.

    The marts of one refresh ask for nearly the same snapshots, each several times: each time only those are read that are new.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._first, self._last = 1, 0  # the snapshots read: none
        self._latest: dict[tuple[str, bool], int] = {}  # of them, the last that changed a table, or put it there anew
        self._kept: dict[str, tuple[int, Any]] = {}

    def changes(self, since: int, now: int) -> Changes | None:
        """As :func:`changes`."""
        if now == since:
            return Changes(frozenset(), frozenset())
        if now < self._last:  # of what was changed last, that is not known
            found = self._read(since + 1, now)
        elif self._first <= since + 1 <= self._last + 1:
            found = self._latest if now == self._last else self._read_on(now)
        else:
            found = self._read(since + 1, now)
            if found is not None:
                self._first, self._last, self._latest = since + 1, now, found
        if found is None:
            return None
        tables = [table for table, latest in found.items() if latest > since]
        return Changes(frozenset(name for name, _ in tables), frozenset(name for name, is_new in tables if is_new))

    def kept(self, key: str, of: Set[str], now: int, make: Callable[[], T]) -> T:
        """What `make` gave under that key, as long as none of the tables `of` has changed since; else what it gives now.

        Parameters
        ----------
        now : int
            The snapshot that is read.
        """
        if key in self._kept:
            at, value = self._kept[key]
            since = self.changes(at, now) if at <= now else None
            if since is not None and not since.changed & of:
                return value
        self._kept[key] = now, make()
        return self._kept[key][1]

    def _read_on(self, now: int) -> dict[tuple[str, bool], int] | None:
        more = self._read(self._last + 1, now)
        if more is None:
            return None
        self._latest, self._last = {**self._latest, **more}, now
        return self._latest

    def _read(self, first: int, last: int) -> dict[tuple[str, bool], int] | None:
        found = self._connection.execute(queries.sql("tables_changed"), [first, last]).fetchall()
        if (None, True, None) in found:
            return None
        return {(table, is_new): latest for table, is_new, latest in found if table is not None}


def _message(name: str) -> str:
    return f"mart {name}"

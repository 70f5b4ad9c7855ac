"""What a mart was computed from: a version of its model, and a snapshot of the lake; and what snapshots have changed since.

A mart that was put in place as a whole says both in its comment. A comment is a change of the schema, after which every process
on the lake reads the whole catalog again (0.1 s of CPU for each of them). So a build that exchanges rows only leaves its snapshot
in the message of its commit instead; the later of the two holds.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from warehouse import queries

if TYPE_CHECKING:
    from warehouse.lake import Warehouse

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
    if now == since:
        return Changes(frozenset(), frozenset())
    found = warehouse.query(queries.sql("tables_changed"), [since + 1, now]).rows()
    if (None, True) in found:
        return None
    tables = [row for row in found if row[0] is not None]
    return Changes(frozenset(table for table, _ in tables), frozenset(table for table, is_new in tables if is_new))


def _message(name: str) -> str:
    return f"mart {name}"

"""Delete rows past their table's age, and say since when each table is whole.

A row's age is that of its own event time, in whole UTC days, so that whole days (of `spans`: whole files) go at once; where
its clock is broken (null, before 2015, or a day ahead of its arrival) the time of its arrival counts instead. Files
disappear when `warehouse.compaction` expires the snapshots that still know them.

Nothing is deleted that no mart has counted: tables that marts read are left alone while the marts are older than rows that
would go. What a mart states of days whose rows are gone is kept as it was (`warehouse.marts.build`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import duckdb

from warehouse import marts
from warehouse.errors import WarehouseError
from warehouse.lake import Warehouse

#: Raw tables with a time: the column of the event (None: there is no such time) and the one of the row's arrival.
_RAW: dict[str, tuple[str | None, str]] = {
    "spans": ("started_at", "ingested_at"),
    "outcomes": ("at", "ingested_at"),
    "policy_decisions": ("at", "ingested_at"),
    "approvals": ("at", "ingested_at"),
    "rollbacks": ("at", "ingested_at"),
    "overrides": ("at", "ingested_at"),
    "tool_requests": ("at", "ingested_at"),
    "redeliveries": (None, "ingested_at"),
    "signals": ("at", "created_at"),
    "incidents": ("last_signal_at", "updated_at"),
    "incident_changes": ("at", "noted_at"),
    "notifications": (None, "made_at"),
    "delivery_attempts": (None, "began_at"),
    "dead_letters": (None, "seen_at"),
    "operational_events": (None, "at"),
}

# No agent was instrumented before: the stream's own rule for a broken clock.
_BY_EVENT = """"{event}" >= TIMESTAMP '2015-01-01' AND "{event}" < ?"""
_BY_ARRIVAL = """"{arrival}" < ? AND (
    "{event}" IS NULL OR "{event}" < TIMESTAMP '2015-01-01' OR "{event}" > "{arrival}" + INTERVAL 1 DAY
)"""


def tables() -> list[str]:
    """Tables whose rows may be given an age: raw ones with a time, and marts with a period."""
    return [*_RAW, *(name for name in marts.names() if marts.models()[name].period)]


def apply(warehouse: Warehouse, days: Mapping[str, int], *, now: datetime | None = None) -> dict[str, int]:
    """Rows deleted by table, of those that `days` names; a transaction each.

    Parameters
    ----------
    warehouse : Warehouse
        Open for writing.
    days : mapping of str to int
        Whole UTC days before today that a table keeps; a table not named keeps its rows for ever.
    now : datetime or None
        The clock, UTC without a zone; None takes the system's.

    Raises
    ------
    WarehouseError
        A table that has no age, or rows that no mart has counted yet: nothing of that table and the following is deleted.
    WarehouseBusyError
        If the catalog stayed locked; what was done until then stays done.
    """
    unknown = sorted(set(days) - set(tables()))
    if unknown:
        raise WarehouseError(f"{unknown[0]!r} has no retention", "retention_days", f"choose from {', '.join(tables())}")
    today = (now or datetime.now(UTC).replace(tzinfo=None)).date()
    return {
        name: _apply(warehouse, name, today - timedelta(days=days[name]))
        for name in tables()  # marts last: they are read by none of the raw tables
        if name in days
    }


def _apply(warehouse: Warehouse, name: str, kept_since: date) -> int:
    conditions = _conditions(name)
    if not _count(warehouse, name, kept_since, conditions):
        return 0
    if name in _RAW and any(name in marts.upstream(mart) for mart in marts.names()):
        _require_counted(warehouse, name, kept_since, conditions)
    return warehouse.transaction(lambda connection: _delete(connection, name, kept_since, conditions))


def _conditions(name: str) -> list[str]:
    if name not in _RAW:
        return [f'"{marts.models()[name].period}" < ?']
    event, arrival = _RAW[name]
    if event is None:
        return [f'"{arrival}" < ?']
    return [condition.format(event=event, arrival=arrival) for condition in (_BY_EVENT, _BY_ARRIVAL)]


def _count(warehouse: Warehouse, name: str, before: date, conditions: list[str], at: str = "") -> int:
    if name not in _RAW and not warehouse.query("SELECT 1 FROM duckdb_tables() WHERE table_name = ?", [name]).height:
        return 0
    doomed = " OR ".join(f"({condition})" for condition in conditions)
    sql = f'SELECT count(*) FROM lake.main."{name}" {at} WHERE {doomed}'  # noqa: S608 - names of ours
    return warehouse.query(sql, [before] * len(conditions)).item()


def _require_counted(warehouse: Warehouse, name: str, before: date, conditions: list[str]) -> None:
    """Refuse where the oldest mart was computed without rows that would go."""
    stale = WarehouseError("marts do not count these rows yet", f"table {name}", "run `plumbline refresh` first")
    built = [marts.built_from(warehouse, mart) for mart in marts.names()]
    known = [snapshot for snapshot in built if snapshot is not None]
    if len(known) < len(built):
        raise stale
    oldest = min(known)
    try:
        counted = _count(warehouse, name, before, conditions, f"AT (VERSION => {oldest})")
    except duckdb.Error as error:  # a snapshot that compaction has expired: the marts are days old
        raise stale from error
    if counted < _count(warehouse, name, before, conditions):
        raise stale


def _delete(connection: duckdb.DuckDBPyConnection, name: str, kept_since: date, conditions: list[str]) -> int:
    deleted = 0
    for condition in conditions:
        statement = f'DELETE FROM lake.main."{name}" WHERE {condition}'  # noqa: S608 - names of ours
        row = connection.execute(statement, [kept_since]).fetchone()
        deleted += row[0] if row else 0
    before = connection.execute(
        "SELECT kept_since, rows_deleted FROM retention WHERE table_name = ?", [name]
    ).fetchone() or (kept_since, 0)
    connection.execute("DELETE FROM retention WHERE table_name = ?", [name])
    connection.execute(
        "INSERT INTO retention VALUES (?, ?, ?, now()::TIMESTAMP)",
        [name, max(before[0], kept_since), before[1] + deleted],
    )
    return deleted

"""Signals and incidents in the warehouse: written once each, whatever is replayed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb
import polars as pl

from pipelines.alerts import changes
from pipelines.alerts.changes import Change
from pipelines.alerts.incidents import Incident, Leader, assign, digest, signal_id
from pipelines.sources.kafka import utc_now
from warehouse import Warehouse

_COLUMNS = (
    "incident_id, workflow, family, families, severity, state, headline, "
    "onset_at, opened_at, last_signal_at, signals, run_ids, judged_at, "
    "revision, silenced_until, silenced_from, merged_into"
)
_LEADER = 's.signal_id, s.family, s.kind, s.log_e, s."at", s.headline'
_STREAMS = (
    "(SELECT list(DISTINCT [family, metric, coalesce(dimension, '')]) FROM signals WHERE incident_id = i.incident_id)"
)
__all__ = ["Incident", "incidents", "record", "unknown"]


def record(signals: list[dict[str, Any]], warehouse: Warehouse) -> list[Incident]:
    """Store new signals and the incidents they belong to; return the incidents that opened or changed."""

    def work(connection: duckdb.DuckDBPyConnection) -> list[Incident]:
        known = _known(connection)
        fresh = [signal for signal in signals if signal_id(signal) not in known]
        if not fresh:
            return []
        rows, changed = assign(fresh, incidents(connection, "i.state <> 'resolved'"))
        now = utc_now()
        names = _signal_columns(connection)
        frame = pl.DataFrame(
            [{name: row.get(name) for name in names} | {"created_at": now} for row in rows], infer_schema_length=None
        )
        warehouse.insert(connection, "signals", frame)
        changes.note(connection, warehouse, _changes(rows, changed, _states(connection), now))
        for incident in changed:
            connection.execute("DELETE FROM incidents WHERE incident_id = ?", [incident.incident_id])
            connection.execute(
                f"INSERT INTO incidents ({_COLUMNS}, leading_signal_id, updated_at) "  # noqa: S608 - columns of ours
                f"VALUES ({', '.join('?' * 19)})",
                [
                    incident.incident_id,
                    incident.workflow,
                    incident.family,
                    list(incident.families),
                    incident.severity,
                    incident.state,
                    incident.headline,
                    incident.onset_at,
                    incident.opened_at,
                    incident.last_signal_at,
                    incident.signals,
                    list(incident.run_ids),
                    incident.judged_at,
                    incident.revision,
                    incident.silenced_until,
                    incident.silenced_from,
                    incident.merged_into,
                    incident.leader.signal_id if incident.leader else None,
                    now,
                ],
            )
        return changed

    return warehouse.transaction(work)


def _states(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the states of the incidents that took others in."""
    sql = "SELECT incident_id, state FROM incidents WHERE incident_id IN (SELECT merged_into FROM incidents)"
    return dict(connection.execute(sql).fetchall())


def _changes(
    rows: list[dict[str, Any]], changed: list[Incident], states_of_takers: dict[str, str], now: datetime
) -> list[Change]:
    """Return what the signals changed: each opened an incident or joined one, and the one that this went into."""
    found: list[Change] = []
    states = {incident.incident_id: (incident.state, incident.merged_into) for incident in changed}
    for row in rows:
        incident, signal = row["incident_id"], row["signal_id"]
        state, into = states[incident]
        opens = incident == digest(row["workflow"], signal)
        kind = "opened" if opens else "signal_joined"
        name = digest(incident, kind, signal)
        found.append(
            Change(name, incident, kind, None if opens else state, state, row["at"], noted_at=now, signal_id=signal)
        )
        if into is not None:
            name, state = digest(into, kind, signal), states_of_takers[into]
            found.append(
                Change(
                    name,
                    into,
                    kind,
                    state,
                    state,
                    row["at"],
                    noted_at=now,
                    signal_id=signal,
                    other_incident_id=incident,
                )
            )
    return found


def unknown(signals: pl.DataFrame, warehouse: Warehouse) -> pl.DataFrame:
    """Return the signals that are not stored: in a replay, most are, and need not be explained again."""
    known = _known(warehouse.connection)
    return signals.filter([signal_id(signal) not in known for signal in signals.iter_rows(named=True)])


def stored(signals: pl.DataFrame, warehouse: Warehouse) -> pl.DataFrame:
    """Return what is stored of signals that `record` has taken, in their order, as ``recovery.Returns.add`` wants it."""
    names = [signal_id(signal) for signal in signals.iter_rows(named=True)]
    rows = warehouse.query(_STORED, [names])
    return pl.DataFrame({"signal_id": names}).join(rows, on="signal_id", maintain_order="left")


_STORED = """
SELECT signal_id, incident_id, workflow, family, metric, dimension, kind, "at", return_test
FROM signals
WHERE list_contains($1::VARCHAR[], signal_id)
"""


def _known(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT signal_id FROM signals").fetchall()}


def _signal_columns(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [name for name, *_ in connection.execute("SELECT * FROM signals LIMIT 0").description or ()]


def incidents(connection: duckdb.DuckDBPyConnection, condition: str = "true") -> list[Incident]:
    """Return the stored incidents, oldest first; the condition is SQL of ours about ``i``."""
    columns = ", ".join(f"i.{name}" for name in _COLUMNS.split(", "))
    rows = connection.execute(
        f"SELECT {columns}, {_STREAMS}, {_LEADER} FROM incidents AS i "  # noqa: S608 - SQL of ours
        f"LEFT JOIN signals AS s ON s.signal_id = i.leading_signal_id WHERE {condition} "
        "ORDER BY i.opened_at, i.incident_id"
    ).fetchall()
    return [
        Incident(
            incident_id=row[0],
            workflow=row[1],
            family=row[2],
            families=tuple(row[3]),
            severity=row[4],
            state=row[5],
            headline=row[6],
            onset_at=row[7],
            opened_at=row[8],
            last_signal_at=row[9],
            signals=row[10],
            run_ids=tuple(row[11] or ()),
            judged_at=row[12],
            revision=row[13] or 1,
            silenced_until=row[14],
            silenced_from=row[15],
            merged_into=row[16],
            streams=frozenset((each[0], each[1], each[2]) for each in row[17] or ()),
            leader=None if row[18] is None else Leader(*row[18:24]),
        )
        for row in rows
    ]

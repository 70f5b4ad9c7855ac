"""What changed about an incident, when, by whom and why: rows of table ``incident_changes``, which is only ever added to."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb
import polars as pl

from pipelines.sources.kafka import utc_now

if TYPE_CHECKING:
    from pipelines.alerts.incidents import Incident
    from warehouse import Warehouse

_SCHEMA: dict[str, pl.DataType] = {
    **dict.fromkeys(("change_id", "incident_id", "kind", "from_state", "to_state"), pl.String()),
    "at": pl.Datetime("us"),
    **dict.fromkeys(("said_by", "why"), pl.String()),
    "silenced_until": pl.Datetime("us"),
    **dict.fromkeys(("other_incident_id", "signal_id"), pl.String()),
    "noted_at": pl.Datetime("us"),
}
#: States that an incident is done with: what happens to its workflow later is no business of it.
OVER = ("resolved", "merged")


@dataclass(frozen=True, slots=True)
class Change:
    """One change, as in the warehouse table."""

    change_id: str
    incident_id: str
    kind: str
    from_state: str | None
    to_state: str
    at: datetime
    said_by: str | None = None
    why: str | None = None
    silenced_until: datetime | None = None
    other_incident_id: str | None = None
    signal_id: str | None = None
    noted_at: datetime | None = None


def note(connection: duckdb.DuckDBPyConnection, warehouse: Warehouse, changes: Sequence[Change]) -> None:
    """Write changes down, inside the transaction that makes them."""
    warehouse.insert(
        connection, "incident_changes", pl.DataFrame([asdict(change) for change in changes], schema=_SCHEMA)
    )


def move(
    connection: duckdb.DuckDBPyConnection,
    warehouse: Warehouse,
    incident: Incident,
    kind: str,
    to_state: str,
    at: datetime,
    *,
    change_id: str | None = None,
    said_by: str | None = None,
    why: str | None = None,
    silenced_until: datetime | None = None,
    silenced_from: str | None = None,
    merged_into: str | None = None,
    other: str | None = None,
) -> None:
    """Bring an incident into a state and note it, inside a transaction; a silence and a merge end with their state.

    Parameters
    ----------
    change_id : str or None
        A deterministic id, for what a replay might say again; None takes a random one.
    other : str or None
        The other incident of a merge.
    """
    now = utc_now()
    is_new = to_state != incident.state or kind == "silenced"
    connection.execute(
        "UPDATE incidents SET state = ?, revision = ?, silenced_until = ?, silenced_from = ?, merged_into = ?, "
        "updated_at = ? WHERE incident_id = ?",
        [
            to_state,
            incident.revision + is_new,
            silenced_until,
            silenced_from,
            merged_into,
            now,
            incident.incident_id,
        ],
    )
    change = Change(
        change_id or secrets.token_hex(8),
        incident.incident_id,
        kind,
        incident.state,
        to_state,
        at,
        said_by,
        why,
        silenced_until,
        other,
        None,
        now,
    )
    note(connection, warehouse, [change])

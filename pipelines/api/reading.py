"""Read what the API answers: SQL files in ``queries/``, through the process' one warehouse, into models.

Values are parameters, never SQL. Times get their zone here: the warehouse's are UTC without one.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.alerts.lifecycle import history
from pipelines.api.models import Change, Delivery, Detail, Health, Incident, Page
from pipelines.checkpoint import saved_at
from warehouse import Warehouse

_QUERIES = Path(__file__).parent / "queries"
#: Columns of ``signals`` whose text is JSON.
_JSON = ("detail", "causes", "actions")


@cache
def statement(name: str) -> str:
    """Text of ``queries/<name>.sql``."""
    return (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")


def rows(warehouse: Warehouse, name: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
    """Rows of a query as JSON-able values, times with their zone."""
    return _told(warehouse.query(statement(name), params))


def _told(found: pl.DataFrame) -> list[dict[str, Any]]:
    return [{column: _plain(value) for column, value in row.items()} for row in found.iter_rows(named=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents are asked for; None for any."""

    states: list[str] | None = None
    workflow: str | None = None
    families: list[str] | None = None
    severities: list[str] | None = None
    since: datetime | None = None


def page(warehouse: Warehouse, wanted: Wanted, cursor: str | None, limit: int) -> Page:
    """Incidents after the cursor.

    Raises
    ------
    ValueError
        The cursor is none that was given out.
    """
    opened_at, incident_id = _place(cursor) if cursor else (None, None)
    since = wanted.since.astimezone(UTC).replace(tzinfo=None) if wanted.since else None
    of = [wanted.states, wanted.workflow, wanted.families, wanted.severities, since, opened_at, incident_id]
    found = [_incident(row) for row in rows(warehouse, "incidents", [*of, limit + 1, None])]
    more = len(found) > limit
    return Page(items=found[:limit], next=_cursor(found[limit - 1]) if more else None)


def _incident(row: dict[str, Any]) -> Incident:
    return Incident.model_validate(row | {"families": row["families"] or [], "run_ids": row["run_ids"] or []})


def _cursor(incident: Incident) -> str:
    assert incident.opened_at is not None
    place = [incident.opened_at.replace(tzinfo=None).isoformat(), incident.incident_id]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        opened_at, incident_id = json.loads(text)
        return datetime.fromisoformat(opened_at), str(incident_id)
    except (binascii.Error, ValueError, TypeError):
        raise ValueError("cursor: take it from `next` of the page before, as it is") from None


def incident(warehouse: Warehouse, incident_id: str) -> Incident | None:
    """The incident of this id."""
    found = rows(warehouse, "incidents", [None] * 7 + [1, incident_id])
    return _incident(found[0]) if found else None


def detail(warehouse: Warehouse, incident_id: str) -> Detail | None:
    """The incident with its signals, history and deliveries."""
    found = incident(warehouse, incident_id)
    if found is None:
        return None
    return Detail.model_validate(
        found.model_dump()
        | {
            "evidence": [_signal(row) for row in rows(warehouse, "signals", [incident_id])],
            "history": [Change.model_validate(row) for row in _told(history(warehouse, incident_id))],
            "deliveries": [Delivery.model_validate(row) for row in rows(warehouse, "deliveries", [incident_id])],
        }
    )


def _signal(row: dict[str, Any]) -> dict[str, Any]:
    for name in _JSON:
        if row[name]:
            row[name] = _parsed(row[name])
    return row


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def standing(warehouse: Warehouse) -> dict[str, dict[str, float]]:
    """The figures of ``queries/standing.sql`` by measure and label."""
    found: dict[str, dict[str, float]] = {}
    for row in rows(warehouse, "standing"):
        if row["value"] is not None:
            found.setdefault(row["measure"], {})[row["label"] or "unknown"] = row["value"]
    return found


def health(warehouse: Warehouse, checkpoints: Path) -> Health:
    """How the warehouse stands now."""
    found = standing(warehouse)
    committed = found.get("committed_at", {}).get("unknown")
    saved = saved_at(checkpoints)
    return Health(
        status="ok",
        incidents={state: round(count) for state, count in found.get("incidents", {}).items()},
        dead_letters=round(sum(found.get("dead_letters", {}).values())),
        last_commit_at=None if committed is None else datetime.fromtimestamp(committed, UTC),
        checkpoint_at=None if saved is None else datetime.fromtimestamp(saved, UTC),
    )

"""Incidents as subjects: what the warehouse has of them, in words and as the schema of drift alerts has it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pipelines.notifications.subject import Subject
from warehouse import Warehouse

_SQL = (Path(__file__).parent / "queries" / "incidents.sql").read_text(encoding="utf-8")
#: What the last change of an incident is called where it is told.
_OCCASIONS = {
    "acknowledged": "acknowledged",
    "judged_false": "resolved",
    "silenced": "silenced",
    "resolved": "resolved",
    "resolved_itself": "resolved",
    "reopened": "reopened",
    "merged": "resolved",
    "opened": "opened",
}


def incident_subjects(warehouse: Warehouse, since: datetime, names: Sequence[str] = ()) -> list[Subject]:
    """Return the incidents that are not over, or whose row was written since then, or that are named."""
    rows = warehouse.connection.execute(_SQL, {"since": since, "names": list(names)}).pl().iter_rows(named=True)
    return [_subject(row) for row in rows]


def _subject(row: dict[str, Any]) -> Subject:
    # Of a merged incident, the one that it went into is told of further.
    state = "resolved" if row["state"] == "merged" else row["state"]
    headline = row["headline"] or ""
    if row["state"] == "merged":
        headline = f"merged into incident {row['merged_into']}: {headline}"
    return Subject(
        kind="drift",
        subject_id=row["incident_id"],
        state=state,
        severity="critical" if row["took_critical"] else row["severity"] or "warning",
        headline=headline,
        opened_at=row["opened_at"],
        changed_at=row["changed_at"],
        occasion=_OCCASIONS.get(row["change_kind"] or "opened", "changed"),
        revision=row["revision"] or 1,
        extent=row["extent"],
        workflow=row["workflow"],
        family=row["family"],
        families=tuple(row["families"] or ()),
        team=row["team"],
        environment=row["environment"],
        details=_details(row),
        data={
            "incident_id": row["incident_id"],
            "workflow": row["workflow"],
            "family": row["family"],
            "families": list(row["families"] or ()),
            "severity": row["severity"],
            "state": state,
            "headline": headline,
            "onset_at": _utc(row["onset_at"]),
            "opened_at": _utc(row["opened_at"]),
            "last_signal_at": _utc(row["last_signal_at"]),
            "signals": row["extent"],
            "run_ids": list(row["run_ids"] or ()),
        },
    )


def _details(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    told = [
        ("Workflow", row["workflow"]),
        ("Families", ", ".join(row["families"] or ())),
        ("Since", f"{row['onset_at']:%Y-%m-%d %H:%M} UTC" if row["onset_at"] else None),
        ("Signals", f"{row['extent']:,}"),
        ("With it", ", ".join(row["taken_workflows"] or ())),
        ("Likely cause", row["cause"]),
        ("First step", row["containment"]),
        ("Silenced until", f"{row['silenced_until']:%Y-%m-%d %H:%M} UTC" if row["silenced_until"] else None),
        ("Said by", row["said_by"]),
        ("Why", row["why"]),
    ]
    return tuple((label, value) for label, value in told if value)


def _utc(at: datetime) -> str:
    return at.isoformat() + "Z"

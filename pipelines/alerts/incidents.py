"""Signals become incidents: one per workflow and stretch of time, with ids that follow from their content.

Pure functions: the same signals in the same order give the same incidents, so a replay changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

#: A signal joins its workflow's incident when its onset lies no later than this after the incident's last signal: slow
#: streams notice the same change long after fast ones.
SAME_INCIDENT = timedelta(hours=24)
#: Families whose drift means that a rule was not kept.
_CRITICAL = ("policy",)


def digest(*parts: object) -> str:
    """Return 16 hex digits that follow from the parts."""
    return blake2b("\x1f".join(str(part) for part in parts).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident, as in the warehouse table ``incidents``."""

    incident_id: str
    workflow: str
    family: str
    families: tuple[str, ...]
    severity: str
    state: str
    headline: str
    onset_at: datetime
    opened_at: datetime
    last_signal_at: datetime
    signals: int
    run_ids: tuple[str, ...] = field(default=())


def signal_id(signal: dict[str, Any]) -> str:
    """Return the id of a signal: the stream and the event time at which it was raised."""
    return digest(*(signal[name] for name in ("workflow", "family", "metric", "dimension", "at")))


def assign(
    signals: Iterable[dict[str, Any]], current: Iterable[Incident]
) -> tuple[list[dict[str, Any]], list[Incident]]:
    """Return the signals with their ids and incident ids, and the incidents that they opened or changed.

    Parameters
    ----------
    signals : iterable of dict
        Rows of table ``signals``, in the order in which they were raised, with headline and run_ids.
    current : iterable of Incident
        Incidents that are not resolved.
    """
    latest: dict[str, Incident] = {}
    for incident in sorted(current, key=lambda each: each.last_signal_at):
        latest[incident.workflow] = incident
    changed: dict[str, Incident] = {}
    rows: list[dict[str, Any]] = []
    for signal in signals:
        name = signal_id(signal)
        known = latest.get(signal["workflow"])
        if known is None or signal["onset_at"] > known.last_signal_at + SAME_INCIDENT:
            incident = _opened(digest(signal["workflow"], name), signal)
        else:
            incident = _joined(known, signal)
        latest[signal["workflow"]] = changed[incident.incident_id] = incident
        rows.append({**signal, "signal_id": name, "incident_id": incident.incident_id})
    return rows, list(changed.values())


def _opened(incident_id: str, signal: dict[str, Any]) -> Incident:
    return Incident(
        incident_id=incident_id,
        workflow=signal["workflow"],
        family=signal["family"],
        families=(signal["family"],),
        severity=_severity((signal["family"],)),
        state="open",
        headline=signal["headline"],
        onset_at=signal["onset_at"],
        opened_at=signal["at"],
        last_signal_at=signal["at"],
        signals=1,
        run_ids=tuple(signal["run_ids"]),
    )


def _joined(incident: Incident, signal: dict[str, Any]) -> Incident:
    families = tuple(dict.fromkeys((*incident.families, signal["family"])))
    return replace(
        incident,
        families=families,
        severity=_severity(families),
        last_signal_at=max(incident.last_signal_at, signal["at"]),
        signals=incident.signals + 1,
        run_ids=tuple(dict.fromkeys((*incident.run_ids, *signal["run_ids"])))[:10],
    )


def _severity(families: tuple[str, ...]) -> str:
    return "critical" if len(families) >= 3 or any(family in _CRITICAL for family in families) else "warning"

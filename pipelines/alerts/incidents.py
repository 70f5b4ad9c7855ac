"""Signals become incidents: one per workflow and stretch of time, with ids that follow from their content.

Pure functions: the same signals in the same order give the same incidents, so a replay changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from math import inf
from typing import Any, TypeAlias

#: A signal joins its workflow's incident when its onset lies no later than this after the incident's last signal: slow
#: streams notice the same change long after fast ones.
SAME_INCIDENT = timedelta(hours=24)
#: Families whose drift means that a rule was not kept.
_CRITICAL = ("policy",)
#: Whose signal names an incident: a broken rule first, then what is nearest to a cause; cost follows from the others.
_PRECEDENCE = ("policy", "tool", "behavior", "data", "cost")
_MOST_RUNS = 10


Stream: TypeAlias = tuple[str, str, str]


def digest(*parts: object) -> str:
    """Return 16 hex digits that follow from the parts."""
    return blake2b("\x1f".join(str(part) for part in parts).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Leader:
    """The signal that an incident is named after.

    Attributes
    ----------
    log_e : float or None
        Its evidence; None for a rule, which needs no statistics and so is certain.
    """

    signal_id: str
    family: str
    kind: str
    log_e: float | None
    at: datetime
    headline: str

    def rank(self) -> tuple[object, ...]:
        """Return what sorts the strongest first: drifts before lone spikes, by family, then by evidence; ties by time and id."""
        family = _PRECEDENCE.index(self.family) if self.family in _PRECEDENCE else len(_PRECEDENCE)
        evidence = inf if self.log_e is None else self.log_e
        return self.kind == "spike", family, -evidence, self.at, self.signal_id


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident, as in the warehouse table ``incidents``.

    Attributes
    ----------
    leader : Leader or None
        The signal that the headline speaks of; None for incidents of an earlier version.
    state : str
        ``open``, ``acknowledged``, ``silenced``, ``resolved`` or ``merged``.
    judged_at : datetime or None
        Event time up to which a person has judged it.
    streams : frozenset of (family, metric, dimension)
        Where its signals come from.
    revision : int
        States it has been in, this one included.
    silenced_until : datetime or None
        End of the silence, UTC; None where it is not silenced.
    silenced_from : str or None
        State that it returns to then.
    merged_into : str or None
        Incident that it went into; its own signals stay with it.
    """

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
    leader: Leader | None = None
    judged_at: datetime | None = None
    streams: frozenset[Stream] = frozenset()
    revision: int = 1
    silenced_until: datetime | None = None
    silenced_from: str | None = None
    merged_into: str | None = None


def signal_id(signal: dict[str, Any]) -> str:
    """Return the id of a signal: the stream and the event time at which it was raised; one run may spike and tip its stream."""
    of_stream = [signal[name] for name in ("workflow", "family", "metric", "dimension", "at")]
    return digest(*of_stream, "spike") if signal.get("kind") == "spike" else digest(*of_stream)


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
        leader = Leader(
            name, signal["family"], signal.get("kind", ""), signal.get("log_e"), signal["at"], signal["headline"]
        )
        if known is None or _is_another(known, signal["onset_at"]):
            incident = _opened(digest(signal["workflow"], name), signal, leader)
        else:
            incident = _joined(known, signal, leader)
        latest[signal["workflow"]] = changed[incident.incident_id] = incident
        rows.append({**signal, "signal_id": name, "incident_id": incident.incident_id})
    return rows, list(changed.values())


def _is_another(known: Incident, onset_at: datetime) -> bool:
    """Whether a change is too late for the known incident, or began after a person had judged that one."""
    if known.judged_at is not None and onset_at > known.judged_at:
        return True
    return onset_at > known.last_signal_at + SAME_INCIDENT


def _opened(incident_id: str, signal: dict[str, Any], leader: Leader) -> Incident:
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
        leader=leader,
        streams=frozenset([_stream(signal)]),
    )


def _joined(incident: Incident, signal: dict[str, Any], leader: Leader) -> Incident:
    families = tuple(dict.fromkeys((*incident.families, signal["family"])))
    leads = incident.leader is None or leader.rank() < incident.leader.rank()
    named = leader if leads else incident.leader
    assert named is not None
    streams = incident.streams | {_stream(signal)}
    shown = (*signal["run_ids"], *incident.run_ids) if leads else (*incident.run_ids, *signal["run_ids"])
    return replace(
        incident,
        family=named.family,
        families=families,
        severity=_severity(families),
        headline=_headline(named, len(streams) - 1),
        last_signal_at=max(incident.last_signal_at, signal["at"]),
        signals=incident.signals + 1,
        run_ids=tuple(dict.fromkeys(shown))[:_MOST_RUNS],
        leader=named,
        streams=streams,
    )


def _stream(signal: dict[str, Any]) -> Stream:
    return signal["family"], signal["metric"], signal["dimension"] or ""


def _headline(leader: Leader, others: int) -> str:
    if not others:
        return leader.headline
    return f"{leader.headline}; {others} other stream{'s' if others > 1 else ''} moved with it"


def _severity(families: tuple[str, ...]) -> str:
    return "critical" if len(families) >= 3 or any(family in _CRITICAL for family in families) else "warning"

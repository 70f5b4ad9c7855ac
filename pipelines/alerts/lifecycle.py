"""What people do with an incident, and what time does: every change is checked, made and written down in one transaction.

``open → acknowledged → resolved``. A silence has an end and a reason, and returns the incident to what it was. A resolved
incident may be reopened. Where one cause struck several workflows, one incident may take the others in: a merged incident
keeps its own signals, and new ones of its workflow join it there and show on the one that it went into.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import duckdb
import polars as pl

from pipelines.alerts.changes import move
from pipelines.alerts.feedback import judged as judged_in
from pipelines.alerts.feedback import one, refuse_long
from pipelines.alerts.incidents import Incident
from pipelines.alerts.store import incidents
from pipelines.errors import TerminalError
from pipelines.sources.kafka import utc_now
from warehouse import Warehouse

#: A silence longer than this is a decision about the subscriptions, not about an incident.
LONGEST_SILENCE = timedelta(days=90)
_HISTORY = (Path(__file__).parent / "queries" / "history.sql").read_text(encoding="utf-8")
_Connection = duckdb.DuckDBPyConnection


def acknowledge(
    warehouse: Warehouse,
    beginning: str,
    *,
    by: str | None = None,
    why: str | None = None,
    judged: Literal["real", "false"] | None = None,
) -> Incident:
    """Note that a person has taken an incident on, and whether it is real; return the incident.

    Parameters
    ----------
    beginning : str
        Id of the incident, or its beginning.
    judged : 'real', 'false' or None
        With one, the detectors follow: of a real incident the streams learn a new reference, and a false one is over. None:
        it is not known yet, and the streams stay alarmed. A resolved incident may be judged too, and stays resolved.

    Raises
    ------
    TerminalError
        There is no such incident, or several; its state does not allow it; a text is too long.
    """

    def work(connection: _Connection, incident: Incident) -> None:
        if judged is not None:
            _refuse(incident, "judge", "merged")
            judged_in(connection, warehouse, incident, judged, by, why)
            return
        _refuse(incident, "acknowledge", "acknowledged", "resolved", "merged")
        if incident.state == "silenced":
            if incident.silenced_from == "acknowledged":
                raise TerminalError("it is acknowledged already", f"incident {incident.incident_id}", "")
            until, after, state = incident.silenced_until, "acknowledged", "silenced"
        else:
            until, after, state = None, None, "acknowledged"
        move(
            connection,
            warehouse,
            incident,
            "acknowledged",
            state,
            utc_now(),
            said_by=by,
            why=why,
            silenced_until=until,
            silenced_from=after,
        )

    return _changed(warehouse, beginning, by, why, work)


def silence(warehouse: Warehouse, beginning: str, *, until: datetime, by: str | None = None, why: str) -> Incident:
    """Let nobody hear of an incident until then; return it. Silenced again, it has the later word's end.

    Parameters
    ----------
    until : datetime
        With a zone, or UTC without one; at most 90 days ahead.
    why : str
        The reason: a silence without one is refused.

    Raises
    ------
    TerminalError
        As of :func:`acknowledge`; an end that is past or too far, no reason.
    """
    end = until.astimezone(UTC).replace(tzinfo=None) if until.tzinfo else until
    if not why or not why.strip():
        raise TerminalError("a silence needs a reason", f"incident {beginning[:80]}", "say why")
    now = utc_now()
    if not now < end <= now + LONGEST_SILENCE:
        todo = f"give a time in the next {LONGEST_SILENCE.days} days"
        raise TerminalError(f"a silence can't end at {end:%Y-%m-%d %H:%M} UTC", f"incident {beginning[:80]}", todo)

    def work(connection: _Connection, incident: Incident) -> None:
        _refuse(incident, "silence", "resolved", "merged")
        after = incident.silenced_from if incident.state == "silenced" else incident.state
        move(
            connection,
            warehouse,
            incident,
            "silenced",
            "silenced",
            now,
            said_by=by,
            why=why,
            silenced_until=end,
            silenced_from=after,
        )

    return _changed(warehouse, beginning, by, why, work)


def unsilence(warehouse: Warehouse, beginning: str, *, by: str | None = None, why: str | None = None) -> Incident:
    """End a silence before its time; return the incident, which is what it was before.

    Raises
    ------
    TerminalError
        As of :func:`acknowledge`.
    """

    def work(connection: _Connection, incident: Incident) -> None:
        _refuse(incident, "unsilence", "open", "acknowledged", "resolved", "merged")
        _end_silence(connection, warehouse, incident, "unsilenced", utc_now(), by, why)

    return _changed(warehouse, beginning, by, why, work)


def end_silences(warehouse: Warehouse, now: datetime) -> list[Incident]:
    """Return the incidents whose silence had ended by now, as they are since; where there is none, nothing is written."""

    def ended(connection: _Connection) -> list[Incident]:
        silenced = incidents(connection, "i.state = 'silenced'")
        return [each for each in silenced if each.silenced_until is not None and each.silenced_until <= now]

    def work(connection: _Connection) -> list[Incident]:
        over = ended(connection)
        for incident in over:
            assert incident.silenced_until is not None
            why = "its end had come"
            _end_silence(connection, warehouse, incident, "silence_ended", incident.silenced_until, None, why)
        return [one(connection, incident.incident_id) for incident in over]

    return warehouse.transaction(work) if ended(warehouse.connection) else []


def resolve(warehouse: Warehouse, beginning: str, *, by: str | None = None, why: str | None = None) -> Incident:
    """Note that an incident is over: its streams are watched again against the reference of before; return it.

    Raises
    ------
    TerminalError
        As of :func:`acknowledge`.
    """

    def work(connection: _Connection, incident: Incident) -> None:
        _refuse(incident, "resolve", "resolved", "merged")
        judged_in(connection, warehouse, incident, "resolved", by, why)

    return _changed(warehouse, beginning, by, why, work)


def reopen(warehouse: Warehouse, beginning: str, *, by: str | None = None, why: str | None = None) -> Incident:
    """Open an incident again that was resolved, or merged into another; return it. What was judged is taken back by that.

    Raises
    ------
    TerminalError
        As of :func:`acknowledge`.
    """

    def work(connection: _Connection, incident: Incident) -> None:
        _refuse(incident, "reopen", "open", "acknowledged", "silenced")
        move(
            connection,
            warehouse,
            incident,
            "reopened",
            "open",
            utc_now(),
            said_by=by,
            why=why,
            other=incident.merged_into,
        )
        # Signals that began after the judgement join it again.
        connection.execute("UPDATE incidents SET judged_at = NULL WHERE incident_id = ?", [incident.incident_id])

    return _changed(warehouse, beginning, by, why, work)


def merge(warehouse: Warehouse, into: str, other: str, *, by: str | None = None, why: str | None = None) -> Incident:
    """Let one incident take another in; return the one that took it. What was merged into the other goes with it.

    Raises
    ------
    TerminalError
        As of :func:`acknowledge`; both are the same.
    """

    def work(connection: _Connection, taker: Incident) -> None:
        gone = one(connection, other)
        if gone.incident_id == taker.incident_id:
            raise TerminalError("an incident can't go into itself", f"incident {taker.incident_id}", "name two")
        _refuse(taker, "merge into", "resolved", "merged")
        _refuse(gone, "merge", "resolved", "merged")
        for each in (gone, *incidents(connection, f"i.merged_into = '{gone.incident_id}'")):  # an id of ours
            move(
                connection,
                warehouse,
                each,
                "merged",
                "merged",
                utc_now(),
                said_by=by,
                why=why,
                merged_into=taker.incident_id,
                other=taker.incident_id,
            )
        move(
            connection,
            warehouse,
            taker,
            "took_in",
            taker.state,
            utc_now(),
            said_by=by,
            why=why,
            silenced_until=taker.silenced_until,
            silenced_from=taker.silenced_from,
            other=gone.incident_id,
        )

    return _changed(warehouse, into, by, why, work)


def history(warehouse: Warehouse, incident_id: str) -> pl.DataFrame:
    """Return what changed about an incident, oldest first: the columns of table ``incident_changes``."""
    return warehouse.query(_HISTORY, [incident_id])


def _changed(
    warehouse: Warehouse,
    beginning: str,
    by: str | None,
    why: str | None,
    work: Callable[[_Connection, Incident], None],
) -> Incident:
    refuse_long(by, why)

    def whole(connection: _Connection) -> Incident:
        incident = one(connection, beginning)
        work(connection, incident)
        return one(connection, incident.incident_id)

    return warehouse.transaction(whole)


def _refuse(incident: Incident, what: str, *states: str) -> None:
    """Raise where the incident's state is one of those in which this can't be done."""
    if incident.state not in states:
        return
    todo = {
        "open": "it is not silenced" if what == "unsilence" else "there is nothing to open again",
        "acknowledged": "it is not silenced" if what == "unsilence" else "it is so already",
        "silenced": "end its silence: `plumbline alerts unsilence`",
        "resolved": "reopen it first: `plumbline alerts reopen`",
        "merged": f"it went into {incident.merged_into}: name that one, or reopen this",
    }[incident.state]
    raise TerminalError(f"can't {what} an incident that is {incident.state}", f"incident {incident.incident_id}", todo)


def _end_silence(
    connection: _Connection,
    warehouse: Warehouse,
    incident: Incident,
    kind: str,
    at: datetime,
    by: str | None,
    why: str | None,
) -> None:
    move(connection, warehouse, incident, kind, incident.silenced_from or "open", at, said_by=by, why=why)

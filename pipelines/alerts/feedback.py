"""What people say about incidents, and when the detectors follow it.

A judgement is a row of ``acknowledgements``, added by any process at any time. The worker that detects finds it, writes down in
``applied_acknowledgements`` up to which event time its detectors had come, and only then re-arms the streams of the incident.
From then on that place is where the judgement stands in the order of observations: whoever goes through them again, from a
checkpoint or from the beginning, applies it there, and so raises the same signals.

Where every stream of an incident is back (``pipelines.alerts.recovery``) the product says so itself: its judgement is written
with its place, which follows from the observations, so every pass comes to the same one under the same id.

A crash before the place is written leaves a judgement that is new; after it, one that the next pass applies at its place.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from pipelines.alerts.changes import OVER, move
from pipelines.alerts.incidents import Incident, digest
from pipelines.alerts.store import incidents
from pipelines.errors import TerminalError
from pipelines.sources.kafka import utc_now
from warehouse import Warehouse

JUDGEMENTS = ("real", "false", "resolved")
#: What the product says itself.
_ITSELF = "resolved_itself"
#: What an incident is after each: a drift that is real stays known until it is over.
_STATES = {"real": "acknowledged", "false": "resolved", "resolved": "resolved"}
_LONGEST = {"said_by": 200, "note": 2000}
_QUERIES = Path(__file__).parent / "queries"

Stream = tuple[str, str, str, str]


@cache
def _sql(name: str) -> str:
    return (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Judgement:
    """One judgement with its place in the order of observations.

    Attributes
    ----------
    watermark_at : datetime
        Observations up to this event time come before it.
    streams : tuple of (workflow, family, metric, dimension)
        Those that the incident's signals up to that time came from.
    relearn : bool
        Whether they learn a new reference: the drift is real, and stays.
    """

    acknowledgement_id: str
    incident_id: str
    watermark_at: datetime
    streams: tuple[Stream, ...]
    relearn: bool


def judge(
    warehouse: Warehouse, beginning: str, judgement: str, said_by: str | None = None, note: str | None = None
) -> Incident:
    """Note what a person says about the incident whose id begins so; return the incident in its new state.

    Raises
    ------
    TerminalError
        No incident begins so, several do, or a text is too long.
    """
    refuse_long(said_by, note)
    return warehouse.transaction(
        lambda connection: judged(connection, warehouse, one(connection, beginning), judgement, said_by, note)
    )


def judged(
    connection: duckdb.DuckDBPyConnection,
    warehouse: Warehouse,
    incident: Incident,
    judgement: str,
    said_by: str | None,
    note: str | None,
) -> Incident:
    """Note a judgement inside a transaction: about the incident, and about those that went into it; return it as it is then."""
    # What was over stays over: that it had been real is no news to those who were told that it is.
    state = incident.state if incident.state == "resolved" else _STATES[judgement]
    until, after = None, None
    if incident.state == "silenced" and state == "acknowledged":
        state, until, after = "silenced", incident.silenced_until, "acknowledged"
    now = utc_now()
    merged = incidents(connection, f"i.merged_into = '{incident.incident_id}'")  # an id of ours
    for each in (incident, *merged):
        connection.execute(
            "INSERT INTO acknowledgements VALUES (?, ?, ?, ?, ?, ?)",
            [secrets.token_hex(8), each.incident_id, judgement, said_by, note, now],
        )
    kind = {"real": "acknowledged", "false": "judged_false", "resolved": "resolved"}[judgement]
    move(
        connection,
        warehouse,
        incident,
        kind,
        state,
        now,
        said_by=said_by,
        why=note,
        silenced_until=until,
        silenced_from=after,
        merged_into=incident.merged_into,
    )
    return one(connection, incident.incident_id)


def refuse_long(said_by: str | None, note: str | None) -> None:
    """Refuse texts that are longer than a person types.

    Raises
    ------
    TerminalError
        A name over 200 characters, or a note over 2,000.
    """
    for name, text in (("said_by", said_by), ("note", note)):
        if text is not None and len(text) > _LONGEST[name]:
            what = f"{'the name' if name == 'said_by' else 'the note'} has {len(text):,} characters"
            raise TerminalError(what, "alerts", f"at most {_LONGEST[name]:,}")


def one(connection: duckdb.DuckDBPyConnection, beginning: str) -> Incident:
    """Return the one incident whose id begins so.

    Raises
    ------
    TerminalError
        There is none, or several.
    """
    found = [each for each in incidents(connection) if beginning and each.incident_id.startswith(beginning)]
    if not found:
        raise TerminalError("no such incident", repr(beginning[:80]), "take an id from `plumbline alerts list`")
    if len(found) > 1:
        raise TerminalError(f"{len(found)} incidents begin so", repr(beginning[:80]), "give more of the id")
    return found[0]


class Feedback:
    """The judgements of one home, as one pass through its observations meets them.

    Parameters
    ----------
    applied : iterable of str
        Ids of those that this pass has behind it: what its checkpoint says.

    Attributes
    ----------
    applied : list of str
    """

    def __init__(self, warehouse: Warehouse, applied: Iterable[str] = ()) -> None:
        self._warehouse = warehouse
        self.applied = list(applied)
        behind = set(self.applied)
        self._ahead = [each for each in self._placed() if each.acknowledgement_id not in behind]

    def _placed(self) -> list[Judgement]:
        rows = self._warehouse.connection.execute(_sql("placed_judgements")).pl().iter_rows(named=True)
        return [_judgement(row) for row in rows]

    def due(self, watermark: datetime | None) -> list[Judgement]:
        """Return the judgements whose place this pass has come to, in their order; each is returned once."""
        reached = [each for each in self._ahead if watermark is not None and each.watermark_at <= watermark]
        self._ahead = self._ahead[len(reached) :]
        self.applied += [each.acknowledgement_id for each in reached]
        return reached

    def new(self, watermark: datetime | None) -> tuple[list[Judgement], list[Incident]]:
        """Give the judgements that have none a place, here; return them, and the incidents as they are then.

        Parameters
        ----------
        watermark : datetime or None
            Event time up to which this pass has come; before it has begun, nothing is given a place.
        """
        if watermark is None or not self._warehouse.connection.execute(_sql("has_new_judgements")).fetchall():
            return [], []

        def work(connection: duckdb.DuckDBPyConnection) -> tuple[list[str], list[Incident]]:
            rows = connection.execute(_sql("new_judgements")).fetchall()
            now = utc_now()
            for acknowledgement_id, incident_id in rows:
                connection.execute(
                    "INSERT INTO applied_acknowledgements VALUES (?, ?, ?)", [acknowledgement_id, watermark, now]
                )
                connection.execute("UPDATE incidents SET judged_at = ? WHERE incident_id = ?", [watermark, incident_id])
            judged = {incident_id for _, incident_id in rows}
            return [row[0] for row in rows], [each for each in incidents(connection) if each.incident_id in judged]

        names, changed = self._warehouse.transaction(work)
        known = set(names)
        fresh = [each for each in self._placed() if each.acknowledgement_id in known]
        self.applied += [each.acknowledgement_id for each in fresh]
        return fresh, changed

    def itself(self, incident_id: str, place: datetime, why: str) -> tuple[Judgement | None, list[Incident]]:
        """Note that an incident is back; return the judgement, and the incident if it was not known to be.

        Nothing is noted of an incident that is over, nor of one that went into another or took one in: what became of a
        cause in several workflows is for people to say.

        Parameters
        ----------
        place : datetime
            Event time of the observation that told.
        """
        name = digest(incident_id, _ITSELF, place.isoformat())

        def work(connection: duckdb.DuckDBPyConnection) -> list[Incident] | None:
            if connection.execute(_KNOWN, [name]).fetchall():
                return []
            incident = one(connection, incident_id)
            if incident.state in OVER or connection.execute(_TOOK_IN, [incident_id]).fetchall():
                return None
            now = utc_now()
            connection.execute(
                "INSERT INTO acknowledgements VALUES (?, ?, ?, NULL, ?, ?)", [name, incident_id, _ITSELF, why, now]
            )
            connection.execute("INSERT INTO applied_acknowledgements VALUES (?, ?, ?)", [name, place, now])
            change_id = digest(name, "change")
            move(connection, warehouse, incident, _ITSELF, "resolved", place, change_id=change_id, why=why)
            connection.execute("UPDATE incidents SET judged_at = ? WHERE incident_id = ?", [place, incident_id])
            return [one(connection, incident_id)]

        warehouse = self._warehouse
        changed = warehouse.transaction(work)
        if changed is None:
            return None, []
        if name not in self.applied:
            self.applied.append(name)
            self._ahead = [each for each in self._ahead if each.acknowledgement_id != name]
        return next(each for each in self._placed() if each.acknowledgement_id == name), changed


_KNOWN = "SELECT 1 FROM acknowledgements WHERE acknowledgement_id = ?"
_TOOK_IN = "SELECT 1 FROM incidents WHERE merged_into = ?"


def _judgement(row: dict[str, Any]) -> Judgement:
    streams = tuple(
        (each["workflow"], each["family"], each["metric"], each["dimension"]) for each in row["streams"] or ()
    )
    return Judgement(
        row["acknowledgement_id"], row["incident_id"], row["watermark_at"], streams, row["judgement"] == "real"
    )

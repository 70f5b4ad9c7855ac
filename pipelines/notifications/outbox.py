"""The outbox in the warehouse: what is to be told, written before it is sent, and what became of each try.

A crash before a try's note leaves the notification waiting: it is sent again, under the same id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from pipelines.errors import TerminalError
from pipelines.notifications.memory import Memory, Said
from pipelines.notifications.message import Message
from pipelines.sources.kafka import utc_now
from warehouse import Warehouse

#: What was said longer ago matters only where its subject is still told of: its last one is kept in mind.
REMEMBERED = timedelta(days=32)
_QUERIES = Path(__file__).parent / "queries"
_REMEMBERED = (_QUERIES / "remembered.sql").read_text(encoding="utf-8")
_WAITING = """
SELECT notification_id, channel, subject_id, message, tries, next_try_at
FROM notifications WHERE status = 'waiting' ORDER BY made_at, notification_id
"""

_SETTLE = """
UPDATE notifications
SET status = s.status, tries = s.tries, next_try_at = s.next_try_at, settled_at = s.settled_at
FROM settled_notifications AS s
WHERE notifications.notification_id = s.notification_id
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A notification that its channel has not taken yet."""

    notification_id: str
    channel: str
    subject_id: str
    message: str
    tries: int
    next_try_at: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one try, and what follows: ``status`` and ``next_try_at`` of its notification."""

    notification_id: str
    channel: str
    began_at: datetime
    duration_ms: float
    verdict: str
    said: str
    retry_after_seconds: float | None
    status: str
    tries: int
    next_try_at: datetime | None


def remembered(warehouse: Warehouse, now: datetime) -> Memory:
    """Return what was said before, as routing needs it."""
    rows = warehouse.connection.execute(_REMEMBERED, {"since": now - REMEMBERED}).pl().iter_rows()
    return Memory(Said(*row) for row in rows)


def add(warehouse: Warehouse, made: Sequence[tuple[Said, Message | None]]) -> None:
    """Write down what is to be told: with a message what is sent, without one what a digest gathers. Known ids are left."""
    frame = pl.DataFrame(
        [
            {
                "notification_id": said.notification_id,
                "subscription": said.subscription,
                "channel": said.channel,
                "kind": kind,
                "subject_id": said.subject_id,
                "occasion": said.occasion,
                "state": said.state,
                "revision": said.revision,
                "extent": said.extent,
                "severity": severity,
                "workflow": said.workflow,
                "message": None if said.gathered_in else text,
                "gathered_in": said.gathered_in,
                "status": "gathered" if said.gathered_in else "waiting",
                "tries": 0,
                "next_try_at": None if said.gathered_in else said.made_at,
                "made_at": said.made_at,
            }
            for said, message in made
            if message is not None
            for kind, severity, text in [(message.kind, message.severity, as_text(message))]
        ],
        infer_schema_length=None,
    )

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        known = connection.execute("SELECT notification_id FROM notifications").pl()
        warehouse.insert(connection, "notifications", frame.join(known, on="notification_id", how="anti"))

    warehouse.transaction(work)


def waiting(warehouse: Warehouse) -> list[Waiting]:
    """Return what waits for its channel, the oldest first."""
    return [Waiting(*row) for row in warehouse.query(_WAITING).iter_rows()]


def note(warehouse: Warehouse, attempts: Sequence[Attempt]) -> None:
    """Write down what became of tries."""
    columns = ("notification_id", "channel", "began_at", "duration_ms", "verdict", "said", "retry_after_seconds")
    schema = {"retry_after_seconds": pl.Float64}
    log = pl.DataFrame([{name: getattr(one, name) for name in columns} for one in attempts], schema_overrides=schema)

    last = {one.notification_id: one for one in attempts}
    now = utc_now()
    settled = pl.DataFrame(
        [
            {
                **{name: getattr(one, name) for name in ("notification_id", "status", "tries", "next_try_at")},
                "settled_at": None if one.status == "waiting" else now,
            }
            for one in last.values()
        ],
        schema_overrides=dict.fromkeys(("next_try_at", "settled_at"), pl.Datetime("us")),
    )

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        warehouse.insert(connection, "delivery_attempts", log)
        connection.register("settled_notifications", settled.to_arrow())
        try:
            connection.execute(_SETTLE)
        finally:
            connection.unregister("settled_notifications")

    if attempts:
        warehouse.transaction(work)


def resend(warehouse: Warehouse, beginnings: Iterable[str]) -> list[str]:
    """Let notifications that were set aside wait again; return their ids.

    Raises
    ------
    TerminalError
        None, or several, that are set aside begin so.
    """

    def work(connection: duckdb.DuckDBPyConnection) -> list[str]:
        aside = connection.execute("SELECT notification_id FROM notifications WHERE status = 'set_aside'").fetchall()
        chosen: list[str] = []
        for beginning in beginnings:
            found = [name for (name,) in aside if beginning and name.startswith(beginning)]
            if len(found) != 1:
                what = f"{len(found) or 'no'} notification{'s' if len(found) > 1 else ''} set aside begin so"
                raise TerminalError(what, repr(beginning[:80]), "see `plumbline alerts deliveries --set-aside`")
            chosen += found
        for name in chosen:
            connection.execute(
                "UPDATE notifications SET status = 'waiting', tries = 0, next_try_at = ?, settled_at = NULL "
                "WHERE notification_id = ?",
                [utc_now(), name],
            )
        return chosen

    return warehouse.transaction(work)


def as_text(message: Message) -> str:
    """Return a message as JSON text, to be read by :func:`from_text`."""
    return json.dumps(asdict(message), ensure_ascii=False, default=_moment)


def from_text(text: str) -> Message:
    """Return the message that :func:`as_text` wrote."""
    return _message(json.loads(text))


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _message(values: dict[str, Any]) -> Message:
    values["opened_at"] = datetime.fromisoformat(values["opened_at"])
    values["changed_at"] = datetime.fromisoformat(values["changed_at"])
    values["details"] = tuple((label, value) for label, value in values["details"])
    values["items"] = tuple(_message(item) for item in values["items"])
    return Message(**values)

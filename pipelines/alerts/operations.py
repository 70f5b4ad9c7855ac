"""Operational events: trouble of a worker itself, told through the same subscriptions as incidents.

Kept apart from incidents, which are about agents: nobody acknowledges a fetch that was begun again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

import duckdb

from pipelines.alerts.incidents import digest
from pipelines.sources.kafka import utc_now
from warehouse import Warehouse

STALLED_FETCH = "stalled_fetch"
EXPIRED_MESSAGES = "expired_messages"
ROWS_LOST = "rows_lost"


@dataclass(frozen=True, slots=True)
class OperationalEvent:
    """One event, as in the warehouse table ``operational_events``."""

    event_id: str
    kind: str
    topic: str
    partition: int
    offset: int
    end_offset: int
    headline: str
    at: datetime


def stalled_fetch(topic: str, partition: int, offset: int, end: int, seconds: float) -> OperationalEvent:
    """Return the event of a partition that stands still; its id follows from the place alone."""
    return OperationalEvent(
        event_id=digest(STALLED_FETCH, topic, partition, offset),
        kind=STALLED_FETCH,
        topic=topic,
        partition=partition,
        offset=offset,
        end_offset=end,
        headline=f"{topic}[{partition}]@{offset}: nothing was fetched for {seconds:.0f} s while the log goes on to {end}; "
        "the fetch is begun again",
        at=utc_now(),
    )


def expired_messages(topic: str, partition: int, offset: int, first: int) -> OperationalEvent:
    """Return the event of messages that the broker deleted before they were read; its id follows from the place alone."""
    return OperationalEvent(
        event_id=digest(EXPIRED_MESSAGES, topic, partition, offset),
        kind=EXPIRED_MESSAGES,
        topic=topic,
        partition=partition,
        offset=offset,
        end_offset=first,
        headline=f"{topic}[{partition}]: the broker deleted offsets {offset} to {first - 1} before they were read; "
        "lengthen the topic's retention, or add workers",
        at=utc_now(),
    )


def rows_lost(path: str, fault: str, rows: str, ranges: Mapping[str, tuple[str, str]]) -> OperationalEvent:
    """Return the event of a file of the warehouse that was given up: its rows, and the messages that they came in."""
    first, last = ranges.get("offset", ("-1", "-1"))
    return OperationalEvent(
        event_id=digest(ROWS_LOST, path),
        kind=ROWS_LOST,
        topic=ranges.get("topic", ("", ""))[0],
        partition=int(ranges.get("partition", ("-1", ""))[0]),
        offset=int(first),
        end_offset=int(last) + 1 if "offset" in ranges else -1,
        headline=f"lost {rows}: {path}, {fault}, was given up",
        at=utc_now(),
    )


def record(events: list[OperationalEvent], warehouse: Warehouse) -> None:
    """Store the events whose id is new."""

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        known = {row[0] for row in connection.execute("SELECT event_id FROM operational_events").fetchall()}
        for event in events:
            if event.event_id not in known:
                connection.execute(
                    "INSERT INTO operational_events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", list(asdict(event).values())
                )

    warehouse.transaction(work)

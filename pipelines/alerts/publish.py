"""The outbox: what changed about incidents goes to the topic and the console, at least once, with ids that repeat."""

from __future__ import annotations

import json
from collections.abc import Callable

import polars as pl
from kafka import KafkaProducer
from kafka.errors import KafkaError

from pipelines.alerts import operations, store
from pipelines.alerts.incidents import Incident, digest
from pipelines.alerts.operations import OperationalEvent
from pipelines.batch import header_text
from pipelines.errors import TransientError
from pipelines.notifications.channels.kafka import (
    DRIFT_ALERT,
    OPERATIONAL_EVENT,
    PATIENCE_SECONDS,
    EventType,
    headers,
    publish,
)
from pipelines.settings import Settings
from pipelines.sources.kafka import utc_now
from warehouse import Warehouse


class Publisher:
    """Sends undelivered incident states and operational events to Kafka (when there is one) and to the console.

    Parameters
    ----------
    producer : KafkaProducer or None
        None where spans come from files and there is no broker.
    console : callable
        Gets each incident once per state, and each operational event once.

    Attributes
    ----------
    patience_seconds : float
        How long a broker may take to acknowledge an alert, in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        warehouse: Warehouse,
        producer: KafkaProducer | None,
        console: Callable[[Incident | OperationalEvent], None],
    ) -> None:
        self._settings, self._warehouse, self._producer, self._console = settings, warehouse, producer, console
        self.patience_seconds = PATIENCE_SECONDS

    def publish(self) -> None:
        """Deliver every state not yet delivered, and note it.

        Raises
        ------
        TransientError
            The broker did not take an alert; it stays in the outbox.
        """
        self._deliver("console", self._to_console)
        if self._producer is not None:
            self._deliver(self._topic_channel, self._to_topic)

    def publish_operational(self) -> None:
        """Deliver every operational event not yet delivered, and note it.

        Raises
        ------
        TransientError
            The broker did not take an event; it stays in the outbox.
        """
        for event in (events := operations.undelivered(self._warehouse, "console")):
            self._console(event)
        operations.mark_delivered(self._warehouse, "console", events)
        if self._producer is None:
            return
        for event in (events := operations.undelivered(self._warehouse, self._topic_channel)):
            name = digest(event.event_id, self._topic_channel)
            self._send(name, OPERATIONAL_EVENT, event.event_id, event.document())
        operations.mark_delivered(self._warehouse, self._topic_channel, events)

    @property
    def _topic_channel(self) -> str:
        return f"kafka:{self._settings.alerts_topic}"

    def _deliver(self, channel: str, send: Callable[[str, Incident], None]) -> None:
        told: list[tuple[str, Incident]] = []
        for incident in store.undelivered(self._warehouse, channel):
            name = digest(incident.incident_id, store.revision(incident), channel)
            send(name, incident)
            told.append((name, incident))
        store.mark_delivered(self._warehouse, channel, told)

    def _to_console(self, _: str, incident: Incident) -> None:
        self._console(incident)

    def _to_topic(self, name: str, incident: Incident) -> None:
        self._send(name, DRIFT_ALERT, incident.incident_id, event_data(incident))

    def _send(self, name: str, kind: EventType, subject: str, data: str) -> None:
        assert self._producer is not None
        try:
            publish(
                self._producer,
                self._settings.alerts_topic,
                subject,
                data.encode(),
                headers(name, kind, subject, utc_now()),
                self.patience_seconds,
            )
        except (KafkaError, OSError) as error:
            raise TransientError(
                f"Kafka did not take an alert ({type(error).__name__})",
                f"topic {self._settings.alerts_topic}",
                "it stays in the outbox and is sent again; check the broker",
            ) from error

    def set_aside(self, dead_letters: pl.DataFrame) -> None:
        """Copy unreadable messages to the dead-letter topic with their original bytes and the reason.

        The warehouse table is the record; the topic is for those who watch it. Losing the broker loses no dead letter.

        Raises
        ------
        TransientError
            The broker did not take them all; sent again, some arrive twice.
        """
        if self._producer is None or dead_letters.is_empty():
            return
        try:
            for row in dead_letters.iter_rows(named=True):
                place = f"{row['topic']}[{row['partition']}]@{row['offset']}"
                self._producer.send(
                    self._settings.dead_letter_topic,
                    value=row["payload"],
                    headers=header_text(row["reason"], row["detail"], place),
                )
            self._producer.flush(timeout=self.patience_seconds)
        except (KafkaError, OSError) as error:
            raise TransientError(
                f"Kafka did not take a dead letter ({type(error).__name__})",
                f"topic {self._settings.dead_letter_topic}",
                "it is in table dead_letters; check the broker",
            ) from error


def event_data(incident: Incident) -> str:
    """Return the JSON of one incident as ``pipelines/contracts/drift_alert.schema.json`` describes it."""
    return json.dumps(
        {
            "incident_id": incident.incident_id,
            "workflow": incident.workflow,
            "family": incident.family,
            "families": list(incident.families),
            "severity": incident.severity,
            "state": incident.state,
            "headline": incident.headline,
            "onset_at": incident.onset_at.isoformat() + "Z",
            "opened_at": incident.opened_at.isoformat() + "Z",
            "last_signal_at": incident.last_signal_at.isoformat() + "Z",
            "signals": incident.signals,
            "run_ids": list(incident.run_ids),
        },
        ensure_ascii=False,
    )

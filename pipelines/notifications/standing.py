"""The two channels that every home has without a subscriptions file: the console, and the topic of its broker."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from pipelines.errors import PlumblineError
from pipelines.notifications.message import Answer, Channel, Message, Verdict
from pipelines.settings import Settings

_TYPES = {
    "drift": ("plumbline.drift_alert.v1", "urn:plumbline:drift-alert:1"),
    "operation": ("plumbline.operational_event.v1", "urn:plumbline:operational-event:1"),
}
_PATIENCE_SECONDS = 10.0


def make_standing_channel(name: str, entry: Any, settings: Settings, *, console: Callable[[str], None]) -> Channel:
    """Return the channel of an entry of type ``console`` or ``kafka``."""
    if entry.type == "console":
        return ConsoleChannel(name, console)
    return TopicChannel(name, settings)


class ConsoleChannel:
    """A line for each message, and for each item of a digest."""

    def __init__(self, name: str, write: Callable[[str], None]) -> None:
        self.name, self._write = name, write

    def send(self, message: Message) -> Answer:
        """Print it."""
        for each in message.items or (message,):
            whose = f" · {each.workflow}" if each.workflow else ""
            self._write(f"{each.kind} {each.subject_id} {each.severity} {each.state}{whose} · {each.headline}")
        return Answer(Verdict.DELIVERED, "printed")

    def close(self) -> None:
        """Nothing to let go of."""


class TopicChannel:
    """CloudEvents 1.0 on the alerts topic, Kafka protocol binding, binary content mode (section 3.2)."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.name, self._settings = name, settings
        self._producer: KafkaProducer | None = None

    def send(self, message: Message) -> Answer:
        """Publish it, and wait until the broker has it."""
        kind, schema = _TYPES.get(message.kind, ("plumbline.notification.v1", "urn:plumbline:notification:1"))
        headers = {
            "ce_specversion": "1.0",
            "ce_id": message.notification_id,
            "ce_source": "/plumbline/stream",
            "ce_type": kind,
            "ce_subject": message.subject_id,
            "ce_time": message.changed_at.isoformat() + "Z",
            "ce_dataschema": schema,
            "content-type": "application/json",
        }
        try:
            if self._producer is None:
                from pipelines.sources.kafka import producer

                self._producer = producer(self._settings.bootstrap_servers)
            self._producer.send(
                self._settings.alerts_topic,
                key=message.subject_id.encode(),
                value=json.dumps(message.data, ensure_ascii=False).encode(),
                headers=[(key, value.encode()) for key, value in headers.items()],
            ).get(timeout=_PATIENCE_SECONDS)
        except (KafkaError, PlumblineError, OSError) as error:
            said = f"topic {self._settings.alerts_topic}: the broker did not take it ({type(error).__name__})"
            return Answer(Verdict.RETRY, said)
        return Answer(Verdict.DELIVERED, f"topic {self._settings.alerts_topic}")

    def close(self) -> None:
        """Let go of the broker."""
        if self._producer is not None:
            self._producer.close(timeout=2.0)

"""The alerts topic, as CloudEvents: incidents and operational events as their own schemas, the rest as notifications.

References
----------
CloudEvents 1.0, Kafka protocol binding, section 3.2: binary content mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, MessageSizeTooLargeError

from pipelines.contracts.channels import KafkaEntry
from pipelines.errors import PlumblineError, TransientError
from pipelines.notifications.answers import answer, never_raises
from pipelines.notifications.documents import encoded, notification, utc
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.settings import Settings

SOURCE = "/plumbline/stream"
#: The longest value, in bytes: brokers take 1 MiB with headers unless told otherwise.
LIMIT = 900_000
#: How long a broker may take to acknowledge an event, in seconds.
PATIENCE_SECONDS = 10.0
_CLOSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of CloudEvent, and the schema of its data in ``pipelines/contracts/``."""

    name: str
    schema: str


DRIFT_ALERT = EventType("plumbline.drift_alert.v1", "urn:plumbline:drift-alert:1")
OPERATIONAL_EVENT = EventType("plumbline.operational_event.v1", "urn:plumbline:operational-event:1")
NOTIFICATION = EventType("plumbline.notification.v1", "urn:plumbline:notification:1")
#: Kinds whose subject is published itself, and a key by which it is known to be there.
_SUBJECTS = {"drift": (DRIFT_ALERT, "incident_id"), "operation": (OPERATIONAL_EVENT, "event_id")}


class KafkaChannel:
    """Publishes each message on a topic, keyed by its subject, and waits for the broker to take it."""

    def __init__(self, name: str, entry: KafkaEntry, settings: Settings) -> None:
        self.name = name
        self._topic = entry.topic or settings.alerts_topic
        self._settings, self._servers = settings, entry.bootstrap_servers or settings.bootstrap_servers
        self._producer: KafkaProducer | None = None

    @never_raises
    def send(self, message: Message) -> Answer:
        """Publish the message once."""
        kind, document = event_of(message)
        value = encoded(document, LIMIT)
        extensions = {"ce_subscription": message.subscription, "ce_occasion": message.occasion}
        sent = headers(message.notification_id, kind, message.subject_id, message.changed_at) | extensions
        try:
            if self._producer is None:
                self._producer = self._connected()
            record = publish(self._producer, self._topic, message.subject_id, value, sent)
        except MessageSizeTooLargeError:
            return answer(Verdict.REJECTED, f"{len(value):,} bytes are more than topic {self._topic} takes")
        except PlumblineError as error:
            return answer(Verdict.RETRY, str(error))
        except (KafkaError, OSError) as error:
            return answer(Verdict.RETRY, f"topic {self._topic}: the broker did not take it ({type(error).__name__})")
        return answer(Verdict.DELIVERED, f"{record.topic}[{record.partition}]@{record.offset}")

    def close(self) -> None:
        """Let go of the broker."""
        if self._producer is not None:
            self._producer.close(timeout=_CLOSE_SECONDS)

    def _connected(self) -> KafkaProducer:
        from pipelines.broker import Broker
        from pipelines.sources.kafka import producer

        servers = self._servers or Broker(self._settings.home).status().bootstrap_servers
        if not servers:
            raise TransientError("no Kafka broker", "", "name one in the entry or the settings, or start the home's")
        return producer(servers, block_seconds=PATIENCE_SECONDS)


def event_of(message: Message) -> tuple[EventType, Mapping[str, Any]]:
    """Return type and data of a message's event."""
    kind, key = _SUBJECTS.get(message.kind, (NOTIFICATION, ""))
    return (kind, message.data) if key in message.data else (NOTIFICATION, notification(message))


def headers(name: str, kind: EventType, subject: str, at: datetime) -> dict[str, str]:
    """Return the attributes of an event as headers; ``name`` is its id, by which receivers know duplicates."""
    return {
        "ce_specversion": "1.0",
        "ce_id": name,
        "ce_source": SOURCE,
        "ce_type": kind.name,
        "ce_subject": subject,
        "ce_time": utc(at),
        "ce_dataschema": kind.schema,
        "content-type": "application/json",
    }


def publish(
    producer: KafkaProducer,
    topic: str,
    subject: str,
    value: bytes,
    sent: Mapping[str, str],
    patience_seconds: float = PATIENCE_SECONDS,
) -> Any:
    """Publish one event and return its place once the broker has it.

    Raises
    ------
    KafkaError
        It was not taken within ``patience_seconds``.
    """
    encoded_headers = [(key, each.encode()) for key, each in sent.items()]
    return producer.send(topic, key=subject.encode(), value=value, headers=encoded_headers).get(
        timeout=patience_seconds
    )

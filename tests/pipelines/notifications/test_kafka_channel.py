"""Against the real Kafka: CloudEvents whose data is what their schema describes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer

from pipelines.alerts.operations import stalled_fetch
from pipelines.contracts.channels import KafkaEntry
from pipelines.notifications.channels import make_channel
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.settings import Settings
from tests.conftest import Kafka
from tests.pipelines.notifications.messages import INCIDENT, OPENED, digest, hostile, huge, message
from tests.pipelines.notifications.test_documents import CONTRACTS, validator

pytestmark = pytest.mark.kafka
SCHEMAS = {
    f"urn:plumbline:{name.replace('_', '-')}:1": validator(CONTRACTS / f"{name}.schema.json")
    for name in ("drift_alert", "operational_event", "notification")
}
_STALLED = stalled_fetch("otlp_spans", 3, 41, 57, 60.0)
EVENT = {**asdict(_STALLED), "at": _STALLED.at.isoformat() + "Z"}


def _send(kafka: Kafka, topic: str, *messages: Message) -> list[Answer]:
    settings = Settings(bootstrap_servers=kafka.bootstrap_servers, alerts_topic=topic)
    channel = make_channel("it", KafkaEntry(type="kafka"), settings)
    try:
        return [channel.send(each) for each in messages]
    finally:
        channel.close()


def _read(kafka: Kafka, topic: str, count: int) -> list[Any]:
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=kafka.bootstrap_servers.split(","),
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
        max_partition_fetch_bytes=4 * 2**20,
    )
    try:
        return [record for _, record in zip(range(count), consumer, strict=False)]
    finally:
        consumer.close()


@pytest.mark.parametrize(
    ("sent", "kind", "schema"),
    [
        (OPENED, "plumbline.drift_alert.v1", "urn:plumbline:drift-alert:1"),
        (hostile(), "plumbline.drift_alert.v1", "urn:plumbline:drift-alert:1"),
        (huge(), "plumbline.drift_alert.v1", "urn:plumbline:drift-alert:1"),
        (message(kind="operation", data=EVENT), "plumbline.operational_event.v1", "urn:plumbline:operational-event:1"),
        (message(kind="operation", data={}), "plumbline.notification.v1", "urn:plumbline:notification:1"),
        (message(kind="budget", data={"budget": "x"}), "plumbline.notification.v1", "urn:plumbline:notification:1"),
        (digest(), "plumbline.notification.v1", "urn:plumbline:notification:1"),
        (message(kind="test", occasion="test", data={}), "plumbline.notification.v1", "urn:plumbline:notification:1"),
    ],
)
def test_every_kind_is_an_event_of_its_schema(sent: Message, kind: str, schema: str, kafka: Kafka) -> None:
    topic = kafka.topic()
    assert _send(kafka, topic, sent) == [Answer(Verdict.DELIVERED, f"{topic}[0]@0")]
    [record] = _read(kafka, topic, 1)
    headers = {name: value.decode() for name, value in record.headers}
    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": sent.notification_id,
        "ce_source": "/plumbline/stream",
        "ce_type": kind,
        "ce_subject": sent.subject_id,
        "ce_time": "2026-05-04T10:30:00Z",
        "ce_dataschema": schema,
        "ce_subscription": "payments-oncall",
        "ce_occasion": sent.occasion,
        "content-type": "application/json",
    }
    assert record.key.decode() == sent.subject_id
    SCHEMAS[schema].validate(json.loads(record.value))


def test_an_incident_arrives_as_it_is(kafka: Kafka) -> None:
    topic = kafka.topic()
    _send(kafka, topic, OPENED)
    [record] = _read(kafka, topic, 1)
    assert json.loads(record.value) == INCIDENT


def test_a_second_try_has_the_same_id_and_value(kafka: Kafka) -> None:
    topic = kafka.topic()
    _send(kafka, topic, OPENED)
    _send(kafka, topic, OPENED)
    first, second = _read(kafka, topic, 2)
    assert (first.headers, first.key, first.value) == (second.headers, second.key, second.value)


def test_a_topic_that_takes_less_is_told(kafka: Kafka) -> None:
    from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

    topic = kafka.topic()
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers.split(","))
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": "500"})])
    admin.close()
    # lz4 makes little of it: text that repeats nothing.
    words = " ".join(f"{number * 2654435761 % 2**32:08x}" for number in range(200))
    [answer] = _send(kafka, topic, message(data={**INCIDENT, "headline": words}))
    assert answer.verdict is Verdict.REJECTED
    assert f"than topic {topic} takes" in answer.said


@pytest.mark.slow
def test_a_broker_that_is_away_is_tried_again(tmp_path: Path) -> None:
    channel = make_channel("it", KafkaEntry(type="kafka", bootstrap_servers="127.0.0.1:1"), Settings(home=tmp_path))
    answer = channel.send(OPENED)
    assert answer.verdict is Verdict.RETRY
    assert "Kafka does not answer" in answer.said
    channel.close()


def test_without_any_broker_it_says_what_to_do(tmp_path: Path) -> None:
    channel = make_channel("it", KafkaEntry(type="kafka"), Settings(home=tmp_path))
    assert channel.send(OPENED).said.startswith("no Kafka broker")

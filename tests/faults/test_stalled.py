"""A fetch that stands still while the log goes on is told to the operator, and begun again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from pipelines.alerts.operations import OperationalEvent
from pipelines.notifications.notifier import Notifier
from pipelines.notifications.opening import subscribed
from pipelines.sources.kafka import KafkaSource
from pipelines.stream import Stream
from tests.faults.ground import Ground
from warehouse import Warehouse

pytestmark = pytest.mark.kafka


class Stalling(KafkaSource):
    """Its first consumer is in the group and never asks for messages: the client says nothing of it."""

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        super().assigned(partitions)
        if not hasattr(self, "first"):
            self.first = self._consumer
        if self._consumer is self.first:
            client: Any = self._consumer
            client._fetcher.send_fetches = list


def test_a_stalled_fetch_raises_one_operational_alert_a_partition_and_is_begun_again(ground: Ground) -> None:
    with ground.trial() as home:
        settings = ground.settings(home, stall_seconds=4.0)
        told: list[str] = []
        source = Stalling(settings.bootstrap_servers, settings.topic, settings.group_id, settings.session_seconds)
        with Warehouse.open(settings.warehouse) as warehouse:
            standing = subscribed(settings, told.append, with_topic=True)
            notifier = Notifier(settings, warehouse, standing.subscriptions, standing.channels)
            Stream(settings, source, warehouse, notifier, lambda _: None).run(until_end=True)
            stored = [OperationalEvent(*row) for row in warehouse.query("SELECT * FROM operational_events").rows()]
        source.close()
        assert source._consumer is not source.first
        assert sorted((event.partition, event.offset, event.end_offset) for event in stored) == [
            (partition, 0, end) for partition, end in sorted(ground.ends.items())
        ]
        lines = [line for line in told if "operation" in line]
        assert len(lines) == len(stored)
        assert all(any(event.event_id in line for line in lines) for event in stored)
        assert published(settings.bootstrap_servers, settings.alerts_topic) >= {
            (event.event_id, event.headline) for event in stored
        }
        assert ground.compare(home, 0).clean


def published(bootstrap_servers: str, topic: str) -> set[tuple[str, str]]:
    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest", consumer_timeout_ms=5000
    )
    found = {
        (headers["ce_subject"].decode(), json.loads(message.value)["headline"])
        for message in consumer
        if (headers := dict(message.headers))["ce_type"] == b"plumbline.operational_event.v1"
    }
    consumer.close()
    return found

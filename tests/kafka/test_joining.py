"""Joining the group: a worker that leads it knows what there is to assign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from kafka.structs import TopicPartition

from pipelines.sources.kafka import KafkaSource

pytestmark = pytest.mark.kafka


class Watched(KafkaSource):
    """Keeps how many partitions each assignment brought."""

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self.brought = [*getattr(self, "brought", []), len(partitions)]
        super().assigned(partitions)


def test_a_worker_that_joins_again_and_again_is_never_left_without_partitions(kafka: Any) -> None:
    topic, outcomes = kafka.topic(partitions=4, prefix="joining"), kafka.topic(prefix="joining")
    source = Watched(kafka.bootstrap_servers, topic, topic, 6.0, outcomes_topic=outcomes)
    source.seek(dict)
    for joined in range(1, 7):
        for _ in range(200):
            source.poll(100, 0.05)
            if len(getattr(source, "brought", [])) == joined:
                break
        assert source.brought == [5] * joined, "the leader joined before it knew the topics"
        source.restart()
    source.close()

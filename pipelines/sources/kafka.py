"""Kafka as a source. Positions come from the warehouse, never from the group: rows and offsets were committed together."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from pipelines.errors import TransientError
from pipelines.sources.base import MESSAGE_SCHEMA, Positions

#: Header in which ``plumbline produce`` names the file a message came from.
SOURCE_FILE_HEADER = "plumbline-source-file"
#: A partition read to its end holds back the watermark this much longer, in seconds: its next message may be on its way.
IDLE_SECONDS = 5.0
_EPOCH = datetime(1970, 1, 1)


def _consumer_options(bootstrap_servers: str) -> dict[str, Any]:
    return {
        "bootstrap_servers": bootstrap_servers.split(","),
        "bootstrap_timeout_ms": 10_000,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "max_poll_records": 5000,
        "max_partition_fetch_bytes": 4 * 2**20,
        "max_poll_interval_ms": 600_000,
        "session_timeout_ms": 15_000,  # how long a dead worker keeps its partitions from the others
    }


def _unreachable(bootstrap_servers: str, error: Exception) -> TransientError:
    return TransientError(
        f"Kafka does not answer ({type(error).__name__})",
        bootstrap_servers,
        "check --bootstrap-servers, or start one with `plumbline broker start`",
    )


class _Seeker(ConsumerRebalanceListener):
    """Seeks each partition that the group hands over to the warehouse's position."""

    def __init__(self, source: KafkaSource) -> None:
        self.source = source

    def on_partitions_revoked(self, revoked: Sequence[TopicPartition]) -> None:
        self.source.revoked(revoked)

    def on_partitions_assigned(self, assigned: Sequence[TopicPartition]) -> None:
        self.source.assigned(assigned)


class KafkaSource:
    """One worker of the consumer group on the span topic.

    Raises
    ------
    TransientError
        The broker can't be reached.
    """

    sequential = False

    def __init__(self, bootstrap_servers: str, topic: str, group_id: str) -> None:
        self._servers, self._topic = bootstrap_servers, topic
        self._positions: Positions = {}
        self._end: dict[TopicPartition, int] | None = None
        self._idle_since: dict[tuple[str, int], float] = {}
        try:
            self._consumer = KafkaConsumer(group_id=group_id, **_consumer_options(bootstrap_servers))
        except (KafkaError, OSError) as error:
            raise _unreachable(bootstrap_servers, error) from error

    @property
    def name(self) -> str:
        """What the operator is told."""
        return f"Kafka {self._servers}, topic {self._topic}"

    def seek(self, positions: Positions) -> None:
        """Go on from these offsets in whatever partitions the group assigns."""
        self._positions = dict(positions)
        self._consumer.subscribe(topics=[self._topic], listener=_Seeker(self))

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Take over partitions at the warehouse's positions."""
        for partition in partitions:
            offset = self._positions.get((partition.topic, partition.partition))
            if offset is not None:
                self._consumer.seek(partition, offset)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Another worker reads these from now on."""

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        """Return the next messages of the assigned partitions."""
        try:
            polled = self._consumer.poll(timeout_ms=int(timeout_seconds * 1000), max_records=max_messages)
        except (KafkaError, OSError) as error:
            raise _unreachable(self._servers, error) from error
        frames = [_frame(records) for records in polled.values() if records]
        for partition, records in polled.items():
            if records:
                self._positions[(partition.topic, partition.partition)] = records[-1].offset + 1
        return pl.concat(frames) if frames else pl.DataFrame(schema=MESSAGE_SCHEMA)

    def open_partitions(self) -> set[tuple[str, int]]:
        """Assigned partitions not yet read up to their high watermark, or not long enough to call them idle."""
        now = time.monotonic()
        waiting: set[tuple[str, int]] = set()
        assignment = self._consumer.assignment()
        if not assignment:
            return {(self._topic, -1)}  # the group has not settled: anything may still come
        for partition in assignment:
            key = (partition.topic, partition.partition)
            high = self._consumer.highwater(partition)
            if high is None or self._positions.get(key, 0) < high:
                self._idle_since.pop(key, None)
                waiting.add(key)
            elif now - self._idle_since.setdefault(key, now) < IDLE_SECONDS:
                waiting.add(key)
        return waiting

    def behind(self, positions: Positions) -> set[tuple[str, int]]:
        """Partitions of the topic, whoever reads them, with messages after these positions."""
        try:
            numbers = self._consumer.partitions_for_topic(self._topic) or set()
            partitions = [TopicPartition(self._topic, number) for number in numbers]
            first, end = self._consumer.beginning_offsets(partitions), self._consumer.end_offsets(partitions)
        except (KafkaError, OSError) as error:
            raise _unreachable(self._servers, error) from error
        keys = {partition: (partition.topic, partition.partition) for partition in partitions}
        return {key for partition, key in keys.items() if end[partition] > positions.get(key, first[partition])}

    def at_end(self) -> bool:
        """Whether everything that was there at the first call has been polled."""
        assignment = self._consumer.assignment()
        if self._end is None:
            if not assignment:
                return False
            try:
                self._end = self._consumer.end_offsets(list(assignment))
            except (KafkaError, OSError) as error:
                raise _unreachable(self._servers, error) from error
        return all(self._read(partition) >= end for partition, end in self._end.items())

    def _read(self, partition: TopicPartition) -> int:
        known = self._positions.get((partition.topic, partition.partition))
        if partition not in self._consumer.assignment():
            return known or 0
        # Transaction markers are offsets without a message: the consumer's own position passes over them.
        return max(known or 0, self._consumer.position(partition, timeout_ms=5000) or 0)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()


def _frame(records: Sequence[Any]) -> pl.DataFrame:
    offsets = [record.offset for record in records]
    headers = [record.headers for record in records]
    return pl.DataFrame(
        {
            "topic": [records[0].topic] * len(records),
            "partition": [records[0].partition] * len(records),
            "offset": offsets,
            "next_offset": [offset + 1 for offset in offsets],
            "message_at": [_EPOCH + timedelta(milliseconds=max(record.timestamp, 0)) for record in records],
            "source_file": [_source_file(each) for each in headers],
            "headers": [_header_text(each) for each in headers],
            "value": [record.value for record in records],
        },
        schema=MESSAGE_SCHEMA,
    )


def _source_file(headers: Sequence[tuple[str, bytes]]) -> str | None:
    for key, value in headers or ():
        if key == SOURCE_FILE_HEADER:
            return value.decode("utf-8", "replace")[:200]
    return None


def _header_text(headers: Sequence[tuple[str, bytes]]) -> str | None:
    if not headers:
        return None
    return json.dumps({key: (value or b"").decode("utf-8", "replace") for key, value in headers})


def producer(bootstrap_servers: str) -> KafkaProducer:
    """Return a producer that waits for all replicas and never reorders.

    Raises
    ------
    TransientError
        The broker can't be reached.
    """
    try:
        return KafkaProducer(
            bootstrap_servers=bootstrap_servers.split(","),
            bootstrap_timeout_ms=10_000,  # pyright: ignore[reportCallIssue] - new in 3.0, missing in the stubs
            acks="all",
            linger_ms=20,
            batch_size=2**20,
            compression_type="lz4",
            max_request_size=32 * 2**20,
        )
    except (KafkaError, OSError) as error:
        raise _unreachable(bootstrap_servers, error) from error


def utc_now() -> datetime:
    """Return the clock as every timestamp here is written: UTC without a zone."""
    return datetime.fromtimestamp(time.time(), UTC).replace(tzinfo=None)

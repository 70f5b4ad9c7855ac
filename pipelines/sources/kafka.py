"""Kafka as a source. Positions come from the warehouse, never from the group: rows and offsets were committed together."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping, Sequence, Sized
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.structs import TopicPartition

from pipelines.errors import TerminalError, TransientError
from pipelines.sources.base import MESSAGE_SCHEMA, Positions

#: Header in which ``plumbline produce`` names the file a message came from.
SOURCE_FILE_HEADER = "plumbline-source-file"
#: A partition read to its end holds back the watermark this much longer, in seconds: its next message may be on its way.
IDLE_SECONDS = 5.0
#: The ends of partitions that other workers read are asked for this often, in seconds.
_ENDS_SECONDS = 1.0
#: How long one question to the broker may take, and how long leaving the group, in milliseconds: together they must fit
#: in the ten seconds within which a worker stops.
_ANSWER_MS, _CLOSE_MS = 4_000, 2_000
_ANSWER: dict[str, Any] = {"timeout_ms": _ANSWER_MS}  # Any: the type stubs describe kafka-python 2
_EPOCH = datetime(1970, 1, 1)


def _consumer_options(bootstrap_servers: str, session_seconds: float) -> dict[str, Any]:
    return {
        "bootstrap_servers": bootstrap_servers.split(","),
        "bootstrap_timeout_ms": _ANSWER_MS,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "max_poll_records": 5000,
        "max_partition_fetch_bytes": 4 * 2**20,
        "max_poll_interval_ms": 600_000,
        "session_timeout_ms": int(session_seconds * 1000),
        "heartbeat_interval_ms": int(session_seconds * 1000 / 5),
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
    """One worker of the consumer group on the span topic, and on the topic of late outcomes.

    Parameters
    ----------
    outcomes_topic : str
        Read beside the spans; never holds back the watermark, which is a matter of spans alone.
    session_seconds : float
        How long a dead worker keeps its partitions from the others, in seconds.

    Raises
    ------
    TransientError
        The broker can't be reached.
    """

    sequential = False

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        group_id: str,
        session_seconds: float = 15.0,
        *,
        outcomes_topic: str | None = None,
    ) -> None:
        self._servers, self._topic, self._group_id = bootstrap_servers, topic, group_id
        self._session_seconds = session_seconds
        self._topics = [topic] if outcomes_topic is None else [topic, outcomes_topic]
        self._committed: Callable[[], Positions] = dict
        #: Of assigned partitions: the offset after the last message polled, or the one sought.
        self._positions: Positions = {}
        self._to_seek: list[TopicPartition] = []
        self._held: set[tuple[str, int]] = set()
        #: Of this partition the client may hold messages that it has begun to hand out.
        self._in_hand: TopicPartition | None = None
        self._goal: Positions | None = None
        self._first: Positions = {}
        self._ends: Positions = {}
        self._ends_at = float("-inf")
        self._idle_since: dict[tuple[str, int], float] = {}
        self._expired: list[tuple[str, int, int, int]] = []
        self._consumer = self._connected()

    def _connected(self) -> KafkaConsumer:
        try:
            options = _consumer_options(self._servers, self._session_seconds)
            return KafkaConsumer(group_id=self._group_id, **options)
        except (KafkaError, OSError) as error:
            raise _unreachable(self._servers, error) from error

    @property
    def name(self) -> str:
        """What the operator is told."""
        return f"Kafka {self._servers}, topic {' and '.join(self._topics)}"

    def seek(self, committed: Callable[[], Positions]) -> None:
        """Go on from the warehouse's offsets in whatever partitions the group assigns, now and later.

        The topics are asked for first. A client that joins before it knows them leads a group of no partitions, and where
        its metadata arrive while it does, it never looks again (kafka-python 3.0.12: the coordinator then takes what came
        in between for what it had assigned, so that nothing seems to have changed).
        """
        self._committed = committed
        try:
            for topic in self._topics:
                self._consumer.partitions_for_topic(topic)
        except (KafkaError, OSError) as error:
            raise _unreachable(self._servers, error) from error
        self._consumer.subscribe(topics=self._topics, listener=_Seeker(self))

    def restart(self) -> None:
        """Leave the group, and join it again with a new consumer."""
        old, self._consumer = self._consumer, self._connected()
        _close(old)
        self._positions.clear()
        self._in_hand = None
        self.seek(self._committed)

    def assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """Take over partitions at the warehouse's positions of this moment: whoever read them before has committed."""
        self._to_seek = [*partitions]  # until it is done: a locked catalog is asked again by the next poll
        committed = self._committed()
        for partition in partitions:
            key = (partition.topic, partition.partition)
            self._positions.pop(key, None)
            if key in committed:
                self._consumer.seek(partition, committed[key])
                self._positions[key] = committed[key]
            else:
                self._consumer.seek_to_beginning(partition)  # never where the group's own offsets say
        self._to_seek = []

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Another worker reads these from now on; what is in hand of them is fenced off when it is committed."""
        self._to_seek = [each for each in self._to_seek if each not in partitions]
        for partition in partitions:
            self._positions.pop((partition.topic, partition.partition), None)

    def poll(self, max_messages: int, timeout_seconds: float) -> pl.DataFrame:
        """Return the next messages of the assigned partitions."""
        if self._to_seek:
            self.assigned(self._to_seek)
        try:
            polled = self._consumer.poll(timeout_ms=int(timeout_seconds * 1000), max_records=max_messages)
            self._pause(polled, max_messages)
        except (KafkaError, OSError) as error:
            # Whatever the client had taken out of its buffers for this call is fetched again.
            self._to_seek += [each for each in self._consumer.assignment() if each not in self._to_seek]
            raise _unreachable(self._servers, error) from error
        frames = [_frame(records) for records in polled.values() if records]
        for partition, records in polled.items():
            if records:
                key = (partition.topic, partition.partition)
                self._continued(partition, self._positions.get(key), records[0].offset)
                self._positions[key] = records[-1].offset + 1
        return pl.concat(frames) if frames else pl.DataFrame(schema=MESSAGE_SCHEMA)

    def _pause(self, polled: Mapping[TopicPartition, Sized], max_messages: int) -> None:
        """Pause what is to be held, and resume what is no more.

        Not the partition that the client is in the midst of handing out, the last one of a full answer: what is left of it
        the client would keep for ever (3.0.12, ``Fetcher.fetched_records`` takes it up again only where nothing stands in
        its place, and a part of another partition that is used up still does). Its turn comes when it is through. An empty
        answer tells nothing: the client also gives one when it had no time to look.
        """
        if polled:
            full = sum(map(len, polled.values())) >= max_messages
            self._in_hand = list(polled)[-1] if full else None
        held = {each for each in self._consumer.assignment() if (each.topic, each.partition) in self._held}
        paused = self._consumer.paused()
        self._consumer.resume(*(paused - held))
        self._consumer.pause(*(held - paused - {self._in_hand}))

    def _continued(self, partition: TopicPartition, expected: int | None, offset: int) -> None:
        """See whether the log goes on where it was left: the client begins at its beginning when it does not."""
        if expected is None or offset == expected:
            return
        place = f"{partition.topic}[{partition.partition}]"
        if offset < expected:
            raise TerminalError(
                f"the log begins again at offset {offset}, before {expected}, up to which it is stored",
                f"{place} at {self._servers}",
                "the topic was made anew or cut short: stream it under another topic name or into another --home",
            )
        try:
            first = self._consumer.beginning_offsets([partition], **_ANSWER)[partition]
        except (KafkaError, OSError) as error:
            self._to_seek.append(partition)
            raise _unreachable(self._servers, error) from error
        if first > expected:  # else only transaction markers and compacted messages are missing
            self._expired.append((partition.topic, partition.partition, expected, first))

    def expired(self) -> list[tuple[str, int, int, int]]:
        """Partitions whose next messages the broker had deleted before they were read; each once."""
        found, self._expired = self._expired, []
        return found

    def open_partitions(self, taken: Positions) -> set[tuple[str, int]]:
        """Partitions of the topic with messages after these positions, or not for long enough without to be idle."""
        now = time.monotonic()
        ends = self._known_ends()
        if not ends:
            return {(self._topic, -1)}  # the topic's partitions are not known yet: anything may still come
        # A broker that has just come up may not know all of the topic yet.
        waiting = {key for key in taken if key[0] == self._topic and key not in ends}
        for key, end in ends.items():
            if taken.get(key, self._first.get(key, 0)) < end:
                self._idle_since.pop(key, None)
                waiting.add(key)
            elif now - self._idle_since.setdefault(key, now) < IDLE_SECONDS:
                waiting.add(key)
        return waiting

    def _known_ends(self) -> Positions:
        """The end of every partition: what the fetches say where all are read here, else asked for once a second."""
        numbers = self._consumer.partitions_for_topic(self._topic) or set()
        assigned = self._consumer.assignment()
        own = {partition.partition: partition for partition in assigned if partition.topic == self._topic}
        highs = {(self._topic, number): self._consumer.highwater(own[number]) for number in numbers if number in own}
        known = {key: high for key, high in highs.items() if high is not None}
        if len(known) < len(numbers) or any(key not in self._first for key in known):
            now = time.monotonic()
            if now - self._ends_at >= _ENDS_SECONDS or len(self._ends) < len(numbers):
                self._ends, self._ends_at = self._asked([TopicPartition(self._topic, each) for each in numbers]), now
            known = {key: max(end, known.get(key, end)) for key, end in self._ends.items()}
        return known

    def _asked(self, partitions: list[TopicPartition]) -> Positions:
        """Ask the broker for the ends, and for the beginnings not known yet."""
        keys = {partition: (partition.topic, partition.partition) for partition in partitions}
        new = [partition for partition, key in keys.items() if key not in self._first]
        try:
            if new:
                first = self._consumer.beginning_offsets(new, **_ANSWER)
                self._first.update({keys[partition]: offset for partition, offset in first.items()})
            ends = self._consumer.end_offsets(partitions, **_ANSWER) if partitions else {}
        except (KafkaError, OSError) as error:
            raise _unreachable(self._servers, error) from error
        return {keys[partition]: end for partition, end in ends.items()}

    def skipped(self, committed: Positions) -> Positions:
        """Where transaction markers, which are offsets without a message, were passed over.

        To be asked with nothing in hand: all that was polled is committed.
        """
        passed: Positions = {}
        for partition in self._consumer.assignment():
            key = (partition.topic, partition.partition)
            first = self._first.get(key, 0)
            at = self._positions.get(key, first)
            if committed.get(key, first) != at:
                continue
            try:
                position = self._consumer.position(partition, timeout_ms=_ANSWER_MS)
            except (KafkaError, OSError) as error:
                raise _unreachable(self._servers, error) from error
            if position is not None and position > at:
                passed[key] = position
        return passed

    def hold(self, partitions: set[tuple[str, int]]) -> None:
        """Pause these partitions from the next poll on, where they are assigned here, and resume the others."""
        self._held = partitions

    def lag(self) -> dict[tuple[str, int], tuple[int, int]]:
        """Return (position, end) of every assigned partition, the end fresh from the broker."""
        ends = self._asked(list(self._consumer.assignment()))
        return {key: (self._positions.get(key, self._first[key]), end) for key, end in ends.items()}

    def on_hold(self) -> set[tuple[str, int]]:
        """Assigned partitions that the client has paused."""
        return {(each.topic, each.partition) for each in self._consumer.paused()}

    def at_end(self) -> bool:
        """Whether everything that was there at the first call has been polled here or committed by another worker."""
        if self._goal is None:
            found = {topic: self._consumer.partitions_for_topic(topic) or set() for topic in self._topics}
            there = {(topic, number) for topic, numbers in found.items() for number in numbers}
            known = {key for key in [*self._committed(), *self._positions] if key[0] in self._topics}
            if not found[self._topic] or not known <= there:
                return False  # a broker that has just come up does not know all of the topic yet
            self._goal = self._asked([TopicPartition(*key) for key in there])
        left = {key: end for key, end in self._goal.items() if self._positions.get(key, self._first[key]) < end}
        if not left:
            return True
        committed = self._committed()
        return all(committed.get(key, self._first[key]) >= end for key, end in left.items())

    def close(self) -> None:
        """Leave the group."""
        _close(self._consumer)


def _close(consumer: KafkaConsumer) -> None:
    # A broker that is gone must not keep a worker from ending, nor a new consumer from taking over.
    with contextlib.suppress(KafkaError, OSError):
        consumer.close(timeout_ms=_CLOSE_MS)


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


def producer(bootstrap_servers: str, block_seconds: float = 60.0) -> KafkaProducer:
    """Return a producer that waits for all replicas and never reorders.

    Parameters
    ----------
    block_seconds : float
        How long sending may wait for the topic to be known, in seconds.

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
            max_block_ms=int(block_seconds * 1000),
        )
    except (KafkaError, OSError) as error:
        raise _unreachable(bootstrap_servers, error) from error


def utc_now() -> datetime:
    """Return the clock as every timestamp here is written: UTC without a zone."""
    return datetime.fromtimestamp(time.time(), UTC).replace(tzinfo=None)

"""Topics and records on the real broker, through the client library the product uses."""

from __future__ import annotations

import itertools
from typing import Literal

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from pipelines.broker import answers, create_topics
from pipelines.errors import TransientError

pytestmark = pytest.mark.kafka


def test_topics_are_created_once_with_their_partition_count(kafka) -> None:
    name = kafka.topic(partitions=3)
    assert create_topics(kafka.bootstrap_servers, {name: 5, f"{name}-more": 2}) == [f"{name}-more"]
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap_servers)
    assert consumer.partitions_for_topic(name) == {0, 1, 2}, "an existing topic keeps its count"
    assert consumer.partitions_for_topic(f"{name}-more") == {0, 1}
    consumer.close()


@pytest.mark.parametrize("compression", [None, "gzip", "lz4", "zstd"])
def test_records_come_back_with_their_bytes_keys_and_headers(
    kafka, compression: Literal["gzip", "lz4", "zstd"] | None
) -> None:
    topic = kafka.topic()
    values = [bytes([number]) * (1 + 997 * number) for number in range(40)]
    headers = [("encoding", b"otlp_proto"), ("note", b"\x00\xff")]
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, compression_type=compression)
    for number, value in enumerate(values):
        producer.send(topic, value, key=str(number).encode(), headers=headers)
    producer.flush(timeout=20)
    producer.close()
    records = _read(kafka.bootstrap_servers, topic, len(values))
    assert [record.value for record in records] == values
    assert [record.offset for record in records] == list(range(len(values)))
    assert {tuple(record.headers) for record in records} == {tuple(headers)}


def test_a_message_of_ten_megabytes_goes_through(kafka) -> None:
    topic = kafka.topic()
    value = bytes(range(256)) * (10 * 4096)
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers, max_request_size=16 * 1024 * 1024)
    producer.send(topic, value).get(timeout=20)
    producer.close()
    assert _read(kafka.bootstrap_servers, topic, 1)[0].value == value


def test_writing_to_a_missing_topic_creates_it(kafka) -> None:
    name = f"{kafka.topic()}-not-made-before"
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    assert producer.send(name, b"x").get(timeout=20).offset == 0
    assert len(producer.partitions_for(name)) == 4
    producer.close()


def test_old_records_are_kept(kafka) -> None:
    topic = kafka.topic()
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    producer.send(topic, b"old", timestamp_ms=1_000).get(timeout=20)
    producer.close()
    (record,) = _read(kafka.bootstrap_servers, topic, 1)
    assert (record.value, record.timestamp) == (b"old", 1_000)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-port", "127.0.0.1:99999", "[::1]:1", ""])
def test_where_no_broker_is_the_answer_is_none(address: str) -> None:
    assert answers(address, timeout_seconds=0.5) is None


def test_creating_topics_without_a_broker_is_one_clear_line() -> None:
    with pytest.raises(TransientError, match=r"cannot create topics \(127\.0\.0\.1:1\)") as caught:
        create_topics("127.0.0.1:1", {"any": 1}, timeout_seconds=0.5)
    assert "\n" not in str(caught.value)


def _read(address: str, topic: str, count: int) -> list:
    # the settings that the product's source uses
    consumer = KafkaConsumer(
        bootstrap_servers=address,
        isolation_level="read_committed",
        enable_auto_commit=False,
        max_partition_fetch_bytes=16 * 1024 * 1024,
        consumer_timeout_ms=20_000,
    )
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    records = list(itertools.islice(consumer, count))
    consumer.close()
    return records

"""Partitions that are ahead wait for the slowest one: what is held of them in memory is bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.broker import create_topics
from pipelines.notifications.notifier import Notifier
from pipelines.runs import OpenRuns
from pipelines.settings import Settings
from pipelines.sources import kafka
from pipelines.sources.kafka import KafkaSource, producer
from pipelines.stream import Stream
from tests.pipelines import otlp
from warehouse import Warehouse

pytestmark = pytest.mark.kafka

RUNS, MINUTE = 300, 60 * 10**9
START = 1_700_000_000 * 10**9


@pytest.fixture
def settings(kafka: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    topic = re.sub(r"\W", "-", f"pressure-{request.node.name}")[:80]
    create_topics(kafka.bootstrap_servers, {topic: 2}, timeout_seconds=10)
    sender = producer(kafka.bootstrap_servers)
    for partition in (0, 1):
        for run in range(RUNS):
            number, start = partition * RUNS + run + 1, START + run * (MINUTE, 60 * MINUTE)[partition]
            one = otlp.span(
                trace_id=f"{number:032x}",
                span_id=f"{number:016x}",
                parent="",
                start_ns=start,
                end_ns=start + MINUTE // 2,
            )
            message = otlp.as_json(otlp.request(one))
            sender.send(topic, value=message, partition=partition)
            if run % 10 == 9:
                sender.flush()  # a record batch of ten: the least that a fetch can be of
    sender.close()
    return Settings(
        home=tmp_path,
        bootstrap_servers=kafka.bootstrap_servers,
        topic=topic,
        outcomes_topic=f"{topic}.outcomes",
        alerts_topic=f"{topic}.alerts",
        dead_letter_topic=f"{topic}.dead",
        group_id=topic,
    )


def source_of(settings: Settings) -> KafkaSource:
    return KafkaSource(settings.bootstrap_servers, settings.topic, settings.group_id, settings.session_seconds)


class Reader:
    """Reads as the worker does, and commits at once: a rebalance reads nothing again."""

    def __init__(self, settings: Settings) -> None:
        self.source = source_of(settings)
        self.committed: dict[tuple[str, int], int] = {}
        self.source.seek(lambda: self.committed)

    def polled(self, max_messages: int, seconds: float) -> list[int]:
        """Partitions of the next messages."""
        found = self.source.poll(max_messages, seconds)
        ends = found.group_by("topic", "partition").agg(pl.col("offset").max() + 1)
        self.committed.update({(topic, partition): end for topic, partition, end in ends.iter_rows()})
        return found["partition"].to_list()


@pytest.fixture
def reader(settings: Settings) -> Iterator[Reader]:
    made = Reader(settings)
    yield made
    made.source.close()


def test_a_partition_on_hold_is_not_read_nor_called_stalled_until_it_is_let_go(
    settings: Settings, reader: Reader
) -> None:
    source, before = reader.source, list[int]()
    while not source.lag():
        before += reader.polled(1, 0.2)
    source.hold({(settings.topic, 1), ("of another worker", 0)})
    while not source.on_hold():  # a partition whose messages are being handed out comes to its end first
        before += reader.polled(1, 0.2)
    assert source.on_hold() == {(settings.topic, 1)}
    assert set(source.lag()) == {(settings.topic, 0), (settings.topic, 1)}
    while_held: list[int] = []
    while before.count(0) + while_held.count(0) < RUNS:
        while_held += reader.polled(1000, 0.1)
    while_held += reader.polled(1000, 1.0)
    assert while_held.count(1) == 0
    source.hold(set())
    after: list[int] = []
    while before.count(1) + after.count(1) < RUNS:
        after += reader.polled(1000, 0.2)
    assert after.count(0) == 0


def test_a_client_without_time_to_look_does_not_part_with_what_it_was_handing_out(
    settings: Settings, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, got = reader.source, list[int]()
    while not got:
        got += reader.polled(1, 0.2)
    in_hand = got[-1]
    source.hold({(settings.topic, in_hand)})
    with monkeypatch.context() as busy:  # as where the group's answer is late
        busy.setattr(vars(source._consumer)["_coordinator"], "poll", lambda **_: False)
        assert reader.polled(1, 0.2) == []
    while len(got) < 2 * RUNS:
        if got.count(1 - in_hand) == RUNS:
            source.hold(set())
        got += reader.polled(1, 0.2)
    assert got.count(in_hand) == RUNS


@pytest.mark.parametrize("open_spans", [40, 10**6])
def test_open_runs_stay_few_and_every_span_is_stored(
    settings: Settings, open_spans: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []
    release = OpenRuns.release

    def counted(self: OpenRuns, *given: Any) -> Any:
        observations = release(self, *given)
        held.append(0 if self.spans is None else len(self.spans))
        return observations

    monkeypatch.setattr(OpenRuns, "release", counted)
    options = kafka._consumer_options
    small = {"max_partition_fetch_bytes": 1000}
    monkeypatch.setattr(kafka, "_consumer_options", lambda *given: options(*given) | small)
    few = replace(settings, open_spans=open_spans, batch_spans=20)
    source = source_of(few)
    try:
        with Warehouse.open(few.warehouse) as warehouse:
            notifier = Notifier(few, warehouse)
            Stream(few, source, warehouse, notifier, lambda _: None).run(until_end=True)
            assert warehouse.query("SELECT count(*) FROM spans").item() == 2 * RUNS
    finally:
        source.close()
    # Without the bound a whole partition waits for the other: what this test is about does happen.
    assert (max(held) <= 40 + 2 * 20 + 20) == (open_spans == 40), max(held)

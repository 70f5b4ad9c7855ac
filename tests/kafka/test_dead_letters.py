"""Garbage and good messages through the real Kafka: listed, and replayed after a fix under their own offsets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.sources.kafka import producer
from tests.conftest import Kafka
from tests.kafka.test_real_input import plumbline, topic
from tests.pipelines.dead_letters.test_replay import before_the_fix, unreadable
from tests.pipelines.otlp import as_protobuf, request, span
from tests.pipelines.test_real_traces import rows

pytestmark = pytest.mark.kafka
__all__ = ["topic"]

PLACES = """
SELECT "partition", "offset", count(*) AS spans, min(source_file) AS source_file, bool_or(quality_flags <> []) AS replayed
FROM spans GROUP BY ALL ORDER BY ALL
"""


def test_dead_letters_of_a_topic_are_replayed_once(
    kafka: Kafka, topic: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = as_protobuf(request(span({"gen_ai.operation.name": "chat"}, trace_id="9" * 32)))
    kafka_producer = producer(kafka.bootstrap_servers)
    try:
        headers = [("plumbline-source-file", b"odd.jsonl")]
        for value in (b"\xff\xffgarbage", good, unreadable(1), unreadable(2)):
            kafka_producer.send(topic, value=value, partition=0, headers=headers).get(timeout=30)
    finally:
        kafka_producer.close(timeout=10)
    with before_the_fix(monkeypatch):
        plumbline(tmp_path, kafka.bootstrap_servers, topic, "stream", "--until-end")
    capfd.readouterr()
    plumbline(tmp_path, kafka.bootstrap_servers, topic, "dead-letters", "list", "--format", "json", "--topic", topic)
    found = json.loads(capfd.readouterr().out)
    assert sorted(row["offset"] for row in found) == [0, 2, 3]
    first = {"partition": 0, "offset": 1, "spans": 1, "source_file": "odd.jsonl", "replayed": False}
    assert rows(tmp_path, PLACES, capfd) == [first]
    for _ in range(2):  # replayed a second time, and streamed on, nothing changes
        with pytest.raises(AssertionError):  # exit status 1: the garbage stays
            plumbline(tmp_path, kafka.bootstrap_servers, topic, "dead-letters", "replay", "--all")
        plumbline(tmp_path, kafka.bootstrap_servers, topic, "stream", "--until-end")
        replayed = [{**first, "offset": offset, "spans": 2, "replayed": True} for offset in (2, 3)]
        assert rows(tmp_path, PLACES, capfd) == [first, *replayed]
        waiting = rows(tmp_path, 'SELECT "offset" FROM dead_letters WHERE replayed_at IS NULL', capfd)
        assert waiting == [{"offset": 0}]
    (offsets,) = rows(tmp_path, "SELECT next_offset FROM consumed_offsets", capfd)
    assert offsets["next_offset"] == 4

"""A topic that was made anew, and messages that expired before they were read: said, never passed over in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.structs import TopicPartition

from pipelines.broker import create_topics
from pipelines.cli import main
from pipelines.errors import TerminalError
from pipelines.settings import Settings
from pipelines.sources.kafka import KafkaSource, producer
from tests.pipelines.otlp import as_json, span
from tests.pipelines.otlp import request as request_of
from warehouse.lake import read_only

pytestmark = pytest.mark.kafka


@pytest.fixture
def settings(kafka: Any, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Settings:
    topic = f"cut-{request.node.name}"[:80]
    for variable in ("TOPIC", "GROUP_ID"):
        monkeypatch.setenv(f"PLUMBLINE_{variable}", topic)
    for variable in ("OUTCOMES_TOPIC", "ALERTS_TOPIC", "DEAD_LETTER_TOPIC"):
        monkeypatch.setenv(f"PLUMBLINE_{variable}", f"{topic}.{variable.lower()}")
    create_topics(kafka.bootstrap_servers, {topic: 1}, timeout_seconds=10)
    return Settings(home=tmp_path, bootstrap_servers=kafka.bootstrap_servers, topic=topic, group_id=topic)


def send(settings: Settings, first: int, count: int) -> None:
    sender = producer(settings.bootstrap_servers)
    for number in range(first, first + count):
        sender.send(
            settings.topic, value=as_json(request_of(span(trace_id=f"{number:032x}", span_id=f"{number:016x}")))
        )
    sender.close()


def stream(settings: Settings) -> int:
    return main(
        ["--home", str(settings.home), "--bootstrap-servers", settings.bootstrap_servers, "stream", "--until-end"]
    )


def poll_on(source: KafkaSource) -> None:
    for _ in range(100):
        source.poll(10, 0.2)


def test_messages_that_expired_unread_raise_an_operational_alert_and_the_rest_is_stored(settings: Settings) -> None:
    send(settings, 1, 3)
    assert stream(settings) == 0
    send(settings, 4, 5)
    admin = KafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    admin.delete_records({TopicPartition(settings.topic, 0): 6})
    admin.close()
    assert stream(settings) == 0
    with read_only(settings.warehouse) as lake:
        assert lake.query("SELECT count(*) FROM spans").item() == 3 + 2
        events = lake.query('SELECT kind, topic, "offset", end_offset FROM operational_events').rows()
    assert events == [("expired_messages", settings.topic, 3, 6)]


def test_a_topic_made_anew_ends_the_worker_with_one_line(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    send(settings, 1, 5)
    assert stream(settings) == 0
    source = KafkaSource(settings.bootstrap_servers, settings.topic, settings.group_id, settings.session_seconds)
    try:
        # What a worker meets whose warehouse is ahead of the log.
        source.seek(lambda: {(settings.topic, 0): 99})
        with pytest.raises(TerminalError, match="begins again at offset 0, before 99"):
            poll_on(source)
    finally:
        source.close()

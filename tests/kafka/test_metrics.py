"""A worker's metrics over a real broker: lag by partition while the log goes on, and the port that it serves them on."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.sources.kafka import producer
from tests.conftest import Kafka
from tests.pipelines.otlp import as_protobuf, request, span
from tests.pipelines.test_metrics import asked, samples

pytestmark = pytest.mark.kafka
_PATIENCE_SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def scraped(port: int, *wanted: str, equal: float) -> dict[str, float]:
    """The samples, once those wanted add up; what they are then where they never do."""
    found: dict[str, float] = {}
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            found = samples(asked(f"http://127.0.0.1:{port}/metrics")[1])
        except OSError:
            time.sleep(0.2)
            continue
        if all(name in found for name in wanted) and sum(found[name] for name in wanted) == equal:
            return found
        time.sleep(0.2)
    return found


def test_lag_is_told_by_partition_and_goes_when_it_is_read(kafka: Kafka, tmp_path: Path) -> None:
    topic, port = kafka.topic(2), free_port()
    sender = producer(kafka.bootstrap_servers)

    def send(first: int, count: int) -> None:
        for number in range(first, first + count):
            value = as_protobuf(request(span(trace_id=f"{number + 1:032x}", span_id=f"{number + 1:016x}")))
            sender.send(topic, value=value, partition=number % 2)
        sender.send(topic, value=b"\xff\xff no protobuf", partition=0)
        sender.flush()

    send(0, 40)
    command = [sys.executable, "-P", "-m", "pipelines", "--home", str(tmp_path / "home"), "stream", "--metrics-port"]
    environment = {
        "PATH": "/usr/bin",
        "PLUMBLINE_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "PLUMBLINE_TOPIC": topic,
        "PLUMBLINE_GROUP_ID": topic,
        "PLUMBLINE_OUTCOMES_TOPIC": f"{topic}.outcomes",
        "PLUMBLINE_ALERTS_TOPIC": f"{topic}.alerts",
        "PLUMBLINE_DEAD_LETTER_TOPIC": f"{topic}.dead",
        "PLUMBLINE_STALL_SECONDS": "6",
    }
    log = (tmp_path / "worker.log").open("w+")
    with subprocess.Popen([*command, str(port)], env=environment, stdout=log, stderr=log) as worker:
        try:
            lags = [f"plumbline_consumer_lag_messages[{number}][{topic}]" for number in range(2)]
            found = scraped(port, "plumbline_spans_total", equal=40)
            found = scraped(port, *lags, equal=0)
            assert [found.get(name) for name in lags] == [0, 0]
            assert found["plumbline_dead_letters_total[invalid_protobuf]"] == 1

            send(40, 60)
            found = scraped(port, "plumbline_spans_total", equal=100)
            assert found["plumbline_spans_total"] == 100
            assert found["plumbline_dead_letters_total[invalid_protobuf]"] == 2
            # Taken in, not stored: what is in hand when the group is joined anew comes twice.
            assert found["plumbline_messages_total"] >= 102
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.wait(timeout=60)
    sender.close()
    log.seek(0)
    text = log.read()
    log.close()
    assert worker.returncode == 0, text
    assert f"metrics at http://127.0.0.1:{port}/metrics" in text
    with pytest.raises(OSError, match="refused"):
        asked(f"http://127.0.0.1:{port}/metrics")

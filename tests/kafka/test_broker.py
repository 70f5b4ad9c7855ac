"""The real broker's life: start, find again, stop, and what it says when it cannot start."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.broker import Broker, answers
from pipelines.errors import TerminalError

pytestmark = pytest.mark.kafka


def test_another_process_finds_the_running_broker(kafka) -> None:
    program = (
        "import sys; from pathlib import Path; from pipelines.broker import Broker; "
        "status = Broker(Path(sys.argv[1])).status(); print(status.state, status.bootstrap_servers, status.version)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(kafka.home)], capture_output=True, text=True, cwd=root, check=True
    )
    state, address, version = done.stdout.split()
    assert (state, address) == ("running", kafka.bootstrap_servers)
    assert int(version.split(".")[0]) >= 4


def test_starting_twice_gives_the_same_broker(kafka) -> None:
    broker = Broker(kafka.home)
    before = broker.status()
    assert broker.start() == kafka.bootstrap_servers
    assert broker.status().pid == before.pid


def test_a_running_broker_does_not_move_to_another_port(kafka) -> None:
    other = int(kafka.bootstrap_servers.rpartition(":")[2]) - 1
    with pytest.raises(TerminalError, match="runs on another port"):
        Broker(kafka.home).start(port=other)


def test_the_process_has_a_session_of_its_own(kafka) -> None:
    pid = Broker(kafka.home).status().pid
    assert pid is not None
    assert os.getsid(pid) == pid, "a Ctrl-C in the terminal that started it would end it"


@pytest.mark.slow
def test_data_survives_a_stop_and_a_start(kafka, tmp_path: Path) -> None:
    # a second broker beside the session's: also shows that two homes do not disturb each other
    broker = Broker(tmp_path)
    address = broker.start(port=0)
    try:
        assert address != kafka.bootstrap_servers
        _produce(address, "kept", [b"one", b"two"])
        cluster = answers(address)
        assert broker.stop()
        assert broker.status().state == "stopped"
        assert not broker.stop()
        assert answers(address) is None
        assert broker.start() == address, "the port of the last start is kept while it is free"
        assert answers(address) == cluster
        assert _consume(address, "kept", 2) == [b"one", b"two"]
    finally:
        broker.stop()


def test_a_given_port_in_use_is_one_clear_line(kafka, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(TerminalError, match=rf"port is in use \(127\.0\.0\.1:{port}\)") as caught:
            Broker(tmp_path).start(port=port)
    assert "\n" not in str(caught.value)


def test_a_broker_that_gives_up_says_why(kafka, tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    data = tmp_path / "broker" / "data"
    data.mkdir(parents=True)
    # data of another node: Kafka refuses it, whatever the version
    (data / "meta.properties").write_text("version=1\nnode.id=77\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\n", "ascii")
    with pytest.raises(TerminalError, match="the broker stopped at start") as caught:
        broker.start(port=0)
    assert "77" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert broker.status().state == "stopped"


@pytest.mark.slow
def test_a_killed_broker_is_seen_as_stopped_and_starts_again(kafka, tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    broker.start(port=0)
    try:
        pid = broker.status().pid
        assert pid is not None
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        assert broker.status().state == "stopped"
        assert broker.start()
        assert broker.status().pid != pid
    finally:
        broker.stop()


def test_a_process_id_that_now_belongs_to_another_program_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        folder = tmp_path / "broker"
        folder.mkdir()
        (folder / "state.json").write_text(json.dumps({"pid": stranger.pid, "port": 9092}))
        broker = Broker(tmp_path)
        assert broker.status().state == "stopped"
        assert not broker.stop()
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def _produce(address: str, topic: str, values: list[bytes]) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(bootstrap_servers=address)
    for value in values:
        producer.send(topic, value, partition=0)
    producer.close()


def _consume(address: str, topic: str, count: int) -> list[bytes]:
    from kafka import KafkaConsumer
    from kafka.structs import TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=address, enable_auto_commit=False, consumer_timeout_ms=20_000)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    values = [record.value for record in itertools.islice(consumer, count)]
    consumer.close()
    return values

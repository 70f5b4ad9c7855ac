"""Told to stop, a worker commits what it has in hand and ends, whatever it waits for at that moment."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from pipelines.broker import Broker
from tests.faults.ground import Ground, consumed
from tests.faults.scenarios import kill

pytestmark = pytest.mark.kafka
#: Far beyond what a worker may take to end (ten seconds), far below the outage it would otherwise sit through.
PATIENCE = 90.0
LONG = 100_000.0


def await_rows(home: Path, topic: str) -> None:
    """Until the worker has committed something."""
    deadline = time.monotonic() + PATIENCE
    while not consumed(home, topic):
        assert time.monotonic() < deadline, "the worker committed nothing"
        time.sleep(0.1)


def ended(worker: subprocess.Popen[str]) -> str:
    return worker.communicate(timeout=PATIENCE)[1]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_with_a_backlog_commits_and_ends_and_a_second_signal_changes_nothing(
    ground: Ground, number: signal.Signals
) -> None:
    with ground.trial() as home:
        worker = ground.start(ground.settings(home, batch_spans=100), until_end=False)
        await_rows(home, ground.topic)
        for _ in range(3):
            worker.send_signal(number)
            time.sleep(0.02)
        said = ended(worker)
        assert worker.returncode == 0 and "Traceback" not in said
        assert (home / "checkpoints" / "detectors.zip").exists()
        ground.finish(home)
        assert ground.compare(home, 1).clean


@pytest.mark.slow
def test_a_worker_that_waits_for_a_lock_ends_and_says_what_it_left(ground: Ground) -> None:
    with ground.trial() as home:
        worker = ground.start(ground.settings(home, batch_spans=100, outage_seconds=LONG), until_end=False)
        await_rows(home, ground.topic)
        with closing(sqlite3.connect(home / "warehouse" / "catalog.sqlite", timeout=60, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(0.5)
            worker.send_signal(signal.SIGTERM)
            said = ended(worker)
            other.execute("ROLLBACK")
        assert worker.returncode == 0 and "Traceback" not in said
        ground.finish(home)
        assert ground.compare(home, 1).clean


@pytest.mark.slow
def test_a_lock_that_outlasts_the_patience_ends_the_worker_with_one_line(ground: Ground) -> None:
    with ground.trial() as home:
        worker = ground.start(ground.settings(home, batch_spans=100, outage_seconds=0.5), until_end=False)
        await_rows(home, ground.topic)
        with closing(sqlite3.connect(home / "warehouse" / "catalog.sqlite", timeout=60, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            said = ended(worker)
            other.execute("ROLLBACK")
        assert worker.returncode == 1
        assert said.strip().splitlines()[-1].startswith("error: the warehouse stayed locked")
        assert "trying again for up to 0.5 s" in said and "Traceback" not in said
        ground.finish(home)
        assert ground.compare(home, 1).clean


@pytest.fixture(scope="module")
def broken_ground(kafka: object, tmp_path_factory: pytest.TempPathFactory):
    """A ground of its own, whose broker dies."""
    folder = tmp_path_factory.mktemp("gone")
    broker = Broker(folder / "broker-home")
    ground = Ground(broker.start(port=0), folder / "ground", "faults")
    yield ground, broker
    broker.stop()


@pytest.mark.slow
@pytest.mark.parametrize(("outage_seconds", "status"), [(LONG, 0), (0.5, 1)])
def test_a_worker_whose_broker_is_gone_waits_says_so_and_ends_when_told_or_out_of_patience(
    broken_ground: tuple[Ground, Broker], outage_seconds: float, status: int
) -> None:
    ground, broker = broken_ground
    broker.start(port=int(ground.bootstrap_servers.rpartition(":")[2]))
    with ground.trial() as home:
        settings = ground.settings(home, batch_spans=100, outage_seconds=outage_seconds, stall_seconds=5)
        worker = ground.start(settings, until_end=False)
        await_rows(home, ground.topic)
        kill(broker)
        assert worker.stderr is not None
        said = ""
        while "trying again for up to" not in said:
            line = worker.stderr.readline()
            assert line, f"it ended instead: {said}"
            said += line
        if status == 0:
            worker.send_signal(signal.SIGTERM)
        said += ended(worker)
        assert worker.returncode == status and "Traceback" not in said
        assert said.count("trying again") == 1
        last = said.strip().splitlines()[-1]
        assert last.startswith("error: Kafka d" if status else "stopped without the batch in hand")
        broker.start(port=int(ground.bootstrap_servers.rpartition(":")[2]))
        ground.finish(home)
        assert ground.compare(home, 1).clean

"""The worker killed for real (SIGKILL) while it reads from the real Kafka: nothing lost, nothing doubled, the same alarms."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.simulate import simulate
from warehouse import Warehouse

pytestmark = pytest.mark.kafka
ROOT = Path(__file__).resolve().parents[2]
QUERIES = (
    'SELECT * EXCLUDE (ingested_at, topic, "partition", "offset") FROM spans ORDER BY trace_id, span_id',
    "SELECT * EXCLUDE (created_at) FROM signals ORDER BY signal_id",
    "SELECT * EXCLUDE (updated_at) FROM incidents ORDER BY incident_id",
)


def command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "pipelines", "--home", str(home), *arguments]


def environment(bootstrap: str, topic: str, group: str) -> dict[str, str]:
    return {
        **os.environ,
        "PLUMBLINE_BOOTSTRAP_SERVERS": bootstrap,
        "PLUMBLINE_TOPIC": topic,
        "PLUMBLINE_GROUP_ID": group,
        "PLUMBLINE_ALERTS_TOPIC": f"{topic}.alerts",
        "PLUMBLINE_DEAD_LETTER_TOPIC": f"{topic}.dead",
        "PLUMBLINE_ALARM_BUDGET_PER_WEEK": "3000",  # makes alarms common, so that there is something to compare
        "PLUMBLINE_BATCH_SPANS": "1000",
        "PLUMBLINE_CHECKPOINT_SECONDS": "0.5",
    }


def stored(home: Path) -> list[pl.DataFrame]:
    with Warehouse.open(home / "warehouse", read_only=True) as warehouse:
        return [warehouse.query(sql) for sql in QUERIES]


def test_a_killed_worker_loses_and_doubles_nothing_and_alarms_alike(kafka: Any, tmp_path: Path) -> None:
    topic = kafka.topic(partitions=4)
    simulate(tmp_path / "traffic", seed=11, days=1, workflows=2, rate=30)
    files = [str(path) for path in sorted((tmp_path / "traffic").glob("*.binpb"))]
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    settings = environment(kafka.bootstrap_servers, topic, f"{topic}-unbroken")
    subprocess.run(command(unbroken, "produce", *files), env=settings, cwd=ROOT, check=True)
    subprocess.run(command(unbroken, "stream", "--until-end"), env=settings, cwd=ROOT, check=True)
    settings = environment(kafka.bootstrap_servers, topic, f"{topic}-broken")
    rng = random.Random(5)
    for _ in range(2):
        worker = subprocess.Popen(command(broken, "stream"), env=settings, cwd=ROOT)
        _wait_for_commit(broken)
        time.sleep(rng.uniform(0.0, 1.5))
        worker.send_signal(signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL
    subprocess.run(command(broken, "stream", "--until-end"), env=settings, cwd=ROOT, check=True)
    for found, expected in zip(stored(broken), stored(unbroken), strict=True):
        assert len(expected) > 0
        assert_frame_equal(found, expected)


def _wait_for_commit(home: Path) -> None:
    """Until the worker has committed at least one batch."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if any((home / "warehouse" / "data").rglob("*spans*/**/*.parquet")):
            return
        time.sleep(0.1)
    raise AssertionError("the worker committed nothing in two minutes")

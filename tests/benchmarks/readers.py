"""Readers beside ingestion: what a worker loses to eight of them that ask the cookbook's questions without a pause.

Rounds are without readers, with, with, without, and so on, so that what a growing warehouse costs falls to both; each is over a
backlog of its own, the same weekday a week later, into the same warehouse, as fast as the worker goes. After each one the rows
are those that were sent, and the offsets those of the broker.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.broker import Broker
from pipelines.commands.flow import publish_files
from pipelines.settings import Settings
from tests.benchmarks.reading import WAYS
from tests.benchmarks.traffic import Traffic, traffic
from tests.benchmarks.worker import Worker
from warehouse import Warehouse, marts
from warehouse.lake import read_only

READERS = 8
_RATE = """
WITH batches AS (SELECT ingested_at, count(*) AS spans FROM spans WHERE ingested_at > ? GROUP BY ingested_at)
SELECT (sum(spans) - max_by(spans, ingested_at)) / nullif(epoch(max(ingested_at) - min(ingested_at)), 0) FROM batches
"""
_STORED = (
    "SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM dead_letters), (SELECT max(ingested_at) FROM spans)"
)
_OFFSETS = "SELECT sum(next_offset) FROM consumed_offsets WHERE topic = ?"
#: A reader of a busy machine starts slowly, and ends its statement before it ends.
_PATIENCE_SECONDS = 120.0


def beside(scratch: Path, spans: int, rounds: int, *, seed: int) -> dict[str, Any]:
    """Rounds without and with readers after a first one that fills the warehouse; broker and all readers on the same cores.

    Raises
    ------
    RuntimeError
        The worker or a reader ended with an error, or did not begin.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    settings = Settings(home=scratch / "home")
    settings.home.mkdir()
    sent = messages = 0
    found: list[dict[str, Any]] = []
    read: list[dict[str, Any]] = []
    broker = Broker(settings.home)
    broker.start(progress=lambda _: None)
    try:
        for number in range(1 + 2 * rounds):
            load = traffic(scratch / f"traffic{number}", spans, seed=seed + number, day=7 * number)
            messages += publish_files(list(load.files), settings)[0]
            sent += load.spans
            with_readers = number % 4 in (2, 3)
            if with_readers:
                with _reading(settings.home, scratch / f"readers{number}", read):
                    one = _round(settings, load)
            else:
                one = _round(settings, load)
            one |= _lost(settings, sent, messages)
            if number == 0:
                with Warehouse.open(settings.warehouse) as warehouse:
                    for name in marts.names():
                        marts.build(warehouse, name)
            else:
                found.append({"readers": READERS if with_readers else 0, **one})
    finally:
        broker.stop()
    return {"rounds": found, "slowdown": _slowdown(found), "readers": [_figures(way, read) for way in WAYS]}


def _round(settings: Settings, load: Traffic) -> dict[str, Any]:
    since = "1970-01-01"
    if (settings.warehouse / "catalog.sqlite").exists():
        with read_only(settings.warehouse) as lake:
            since = str(lake.query(_STORED).row(0)[2] or since)
    outcome = Worker(settings.home, "--until-end").wait()
    with read_only(settings.warehouse) as lake:
        rate = lake.query(_RATE, [since]).item()
    wal = settings.warehouse / "catalog.sqlite-wal"
    return {
        "spans": outcome.spans,
        "spans_per_second_sustained": rate,
        "cpu_microseconds_per_span": 1e6 * outcome.cpu_seconds / max(outcome.spans, 1),
        "catalog_log_bytes": wal.stat().st_size if wal.exists() else 0,
    }


def _lost(settings: Settings, sent: int, messages: int) -> dict[str, int]:
    """What is missing of all that was sent so far: rows (below zero: stored twice), offsets, and what could not be read."""
    with read_only(settings.warehouse) as lake:
        stored, dead, _ = lake.query(_STORED).row(0)
        offsets = int(lake.query(_OFFSETS, [settings.topic]).item() or 0)
    return {"spans_lost": sent - stored, "messages_lost": messages - offsets, "dead_letters": dead}


@contextmanager
def _reading(home: Path, folder: Path, read: list[dict[str, Any]]) -> Iterator[None]:
    """Eight readers, two by each way, while the block lasts; then what they did is in `read`."""
    folder.mkdir()
    processes: list[subprocess.Popen[bytes]] = []
    with _server(home):
        try:
            for number in range(READERS):
                command = [sys.executable, "-m", "tests.benchmarks.reading", WAYS[number % len(WAYS)], str(home)]
                processes.append(subprocess.Popen([*command, str(number), str(folder)]))
            _wait(lambda: len(list(folder.glob("ready-*"))) == READERS, processes)
            yield
        finally:
            (folder / "stop").touch()
            try:
                codes = [process.wait(_PATIENCE_SECONDS) for process in processes]
            finally:
                for process in processes:
                    process.kill()
    if any(codes):
        raise RuntimeError(f"readers ended with {codes}")
    read += [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("reader-*.json"))]


@contextmanager
def _server(home: Path) -> Iterator[None]:
    command = [sys.executable, "-P", "-m", "pipelines", "--home", str(home), "sql-server", "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            address = re.search(r"grpc://127\.0\.0\.1:\d+", line)
            if address is None:
                raise RuntimeError(f"the SQL server did not start: {line}")
            (home / "sql_server.address").write_text(address[0], encoding="ascii")
            yield
        finally:
            process.terminate()
            process.wait(_PATIENCE_SECONDS)


def _wait(is_so: Any, processes: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not is_so():
        if time.monotonic() > deadline or any(process.poll() is not None for process in processes):
            raise RuntimeError("the readers did not begin")
        time.sleep(0.1)


def _slowdown(rounds: list[dict[str, Any]]) -> float:
    """By how much the median round with readers is slower than the median round without, 0 to 1; below 0 where it is faster."""
    alone, beside = (
        statistics.median(
            each["spans_per_second_sustained"] for each in rounds if bool(each["readers"]) == with_readers
        )
        for with_readers in (False, True)
    )
    return 1 - beside / alone


def _figures(way: str, read: list[dict[str, Any]]) -> dict[str, Any]:
    mine = [each for each in read if each["way"] == way]
    seconds = [value for each in mine for value in each["seconds"]]
    errors = [line for each in mine for line in each["errors"]]
    p50, p99 = np.percentile(seconds, [50, 99]) if seconds else (float("nan"), float("nan"))
    return {
        "way": way,
        "statements": len(seconds),
        "errors": len(errors),
        "first_errors": errors[:3],
        "p50_seconds": float(p50),
        "p99_seconds": float(p99),
    }

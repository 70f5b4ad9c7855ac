"""Freshness: from a message's append to Kafka until SQL shows its spans, at a steady rate."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.broker import Broker, create_topics
from pipelines.settings import Settings
from pipelines.sources.files import records
from pipelines.sources.kafka import producer
from tests.benchmarks.traffic import Traffic
from tests.benchmarks.worker import Worker
from warehouse.lake import read_only

_SEEN = 'SELECT "partition", next_offset FROM consumed_offsets WHERE topic = ?'
#: Time between two looks of the reader: figures are late by half of it on average.
_LOOK_SECONDS = 0.05
PARTITIONS = 4
#: Spans of the first seconds are left out: the worker is still starting.
_WARM_UP_SECONDS = 10.0


def at_rate(scratch: Path, traffic: Traffic, rate: int, seconds: float) -> dict[str, Any]:
    """Append at ``rate`` spans a second for ``seconds``, with the broker, the producer and a reader on the same cores."""
    settings = Settings(home=scratch / f"fresh{rate}")
    broker = Broker(settings.home)
    address = broker.start(progress=lambda _: None)
    create_topics(address, {settings.topic: PARTITIONS}, timeout_seconds=10)
    worker = Worker(settings.home)
    try:
        while not (settings.warehouse / "catalog.sqlite").exists():
            time.sleep(0.1)
        time.sleep(3)
        appended, began = [], time.perf_counter()
        seen: list[tuple[float, dict[int, int]]] = []
        done = threading.Event()
        reader = threading.Thread(target=_look, args=(settings, done, seen))
        reader.start()
        appended = append(address, settings.topic, traffic, rate, seconds)
        _wait_until_seen(appended, seen)
        done.set()
        reader.join()
    finally:
        worker.terminate()
        outcome = worker.wait()
        broker.stop()
    ages = _ages([each for each in appended if each[2] - began > _WARM_UP_SECONDS], seen)
    p50, p99 = np.percentile(ages, [50, 99])
    return {
        "rate": rate,
        "reached": outcome.spans / max(appended[-1][2] - began, 1e-9),
        "p50_seconds": float(p50),
        "p99_seconds": float(p99),
        "peak_resident_bytes": outcome.peak_resident_bytes,
    }


def append(
    address: str, topic: str, traffic: Traffic, rate: int, seconds: float, stop: threading.Event | None = None
) -> list[tuple[int, int, float]]:
    """Send messages at the pace of the rate, at most until `stop`; return (partition, offset, time of the append) of each."""
    per_message = traffic.delivered / sum(1 for path in traffic.files for _ in records(path))
    values = itertools.chain.from_iterable(records(path) for path in traffic.files)
    sender = producer(address)
    sent, began = [], time.perf_counter()
    for number, (_, _, value) in enumerate(values):
        due = began + number * per_message / rate
        if due > began + seconds or (stop is not None and stop.is_set()):
            break
        time.sleep(max(0.0, due - time.perf_counter()))
        sent.append((time.perf_counter(), sender.send(topic, value=value, partition=number % PARTITIONS)))
    sender.flush()
    appended = []
    for at, future in sent:
        place = future.get(timeout=30)
        appended.append((place.partition, place.offset, at))
    sender.close()
    return appended


def _look(settings: Settings, done: threading.Event, seen: list[tuple[float, dict[int, int]]]) -> None:
    with read_only(settings.warehouse) as lake:
        while not done.is_set():
            rows = lake.query(_SEEN, [settings.topic]).rows()
            seen.append((time.perf_counter(), dict(rows)))
            time.sleep(_LOOK_SECONDS)


def _wait_until_seen(appended: list[tuple[int, int, float]], seen: list[tuple[float, dict[int, int]]]) -> None:
    last = {partition: max(offset for p, offset, _ in appended if p == partition) for partition, _, _ in appended}
    deadline = time.perf_counter() + 120
    while not seen or any(seen[-1][1].get(partition, 0) <= offset for partition, offset in last.items()):
        if time.perf_counter() > deadline:
            raise RuntimeError(
                "the worker did not keep up: not all spans were visible two minutes after the last append"
            )
        time.sleep(0.1)


def _ages(appended: list[tuple[int, int, float]], seen: list[tuple[float, dict[int, int]]]) -> np.ndarray:
    times = np.array([at for at, _ in seen])
    ages = []
    for partition in {each[0] for each in appended}:
        reached = np.array([offsets.get(partition, 0) for _, offsets in seen])
        mine = [(offset, at) for p, offset, at in appended if p == partition]
        visible = times[np.searchsorted(reached, [offset + 1 for offset, _ in mine], side="left")]
        ages.append(visible - np.array([at for _, at in mine]))
    return np.concatenate(ages)

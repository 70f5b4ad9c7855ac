"""Sustained, durable throughput: a backlog through the worker into the warehouse, detection on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipelines.broker import Broker
from pipelines.commands.flow import publish_files
from pipelines.settings import Settings
from tests.benchmarks.traffic import Traffic
from tests.benchmarks.worker import Outcome, Worker
from warehouse.lake import read_only

_RATE = """
WITH batches AS (SELECT ingested_at, count(*) AS spans FROM spans GROUP BY ingested_at)
SELECT (sum(spans) - max_by(spans, ingested_at)) / nullif(epoch(max(ingested_at) - min(ingested_at)), 0) FROM batches
"""
_STORED = """
SELECT count(*), (SELECT sum(file_size_bytes) FROM ducklake_table_info('lake') WHERE table_name = 'spans') FROM spans
"""


def from_kafka(scratch: Path, traffic: Traffic) -> dict[str, Any]:
    """The broker runs on the same cores, and all spans wait in the topic when the worker starts."""
    settings = Settings(home=scratch / "kafka")
    broker = Broker(settings.home)
    broker.start(progress=lambda _: None)
    try:
        publish_files(list(traffic.files), settings)
        outcome = Worker(settings.home, "--until-end").wait()
    finally:
        broker.stop()
    return _figures(settings, traffic, outcome)


def from_files(scratch: Path, traffic: Traffic) -> dict[str, Any]:
    """No broker: the same bytes from files."""
    settings = Settings(home=scratch / "files")
    arguments = [part for path in traffic.files for part in ("--files", str(path))]
    outcome = Worker(settings.home, "--source", "files", *arguments, "--until-end").wait()
    return _figures(settings, traffic, outcome)


def _figures(settings: Settings, traffic: Traffic, outcome: Outcome) -> dict[str, Any]:
    with read_only(settings.warehouse) as lake:
        sustained = lake.query(_RATE).item()
        stored, size = map(int, lake.query(_STORED).row(0))
    if stored != traffic.spans:
        raise RuntimeError(f"{traffic.spans:,} spans were sent, {stored:,} are stored")
    return {
        **asdict(outcome),
        "wire_bytes_per_span": traffic.bytes / traffic.delivered,
        "spans_per_second_sustained": sustained,
        "spans_per_second_whole": outcome.spans / outcome.wall_seconds,
        "cpu_microseconds_per_span": 1e6 * outcome.cpu_seconds / outcome.spans,
        "disk_bytes_per_span": size / stored,
    }

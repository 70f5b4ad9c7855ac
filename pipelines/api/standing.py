"""Metrics that are read from the warehouse at each scrape: what all workers of a home have left there together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipelines.api import reading
from pipelines.checkpoint import saved_at
from pipelines.metrics import STATES
from warehouse import Warehouse, WarehouseError

_PREFIX = "plumbline_warehouse_"
log = logging.getLogger(__name__)

#: Label and text of the gauges with a label, by measure of ``queries/standing.sql``.
_COUNTS = {
    "incidents": ("state", "Incidents."),
    "signals": ("family", "Signals."),
    "dead_letters": ("reason", "Unreadable messages that were not replayed."),
    "notifications_waiting": ("channel", "Notifications that their channel has not taken yet."),
    "notifications_set_aside": ("channel", "Notifications that their channel will never take."),
}
#: Text of the others.
_PLAIN = {
    "up": "Whether the warehouse answered.",
    "last_commit_timestamp_seconds": "Unix time of the last commit of any worker.",
    "checkpoint_timestamp_seconds": "Unix time of the detectors' last checkpoint.",
    "oldest_waiting_timestamp_seconds": "Unix time since when a notification waits.",
}


class Standing(Collector):
    """The warehouse as gauges. One that does not answer leaves ``plumbline_warehouse_up`` at 0, and no figure."""

    def __init__(self, warehouse: Warehouse, checkpoints: Path) -> None:
        self._warehouse, self._checkpoints = warehouse, checkpoints

    def describe(self) -> Iterator[Metric]:
        """Every gauge that there may be, without a value."""
        yield from (_counts(measure, {}) for measure in _COUNTS)
        yield from (GaugeMetricFamily(f"{_PREFIX}{name}", text) for name, text in _PLAIN.items())

    def collect(self) -> Iterator[Metric]:
        """Read the figures."""
        try:
            found = reading.standing(self._warehouse)
        except (WarehouseError, duckdb.Error) as error:
            log.warning("the warehouse did not answer a scrape: %s", type(error).__name__)
            yield _gauge("up", 0)
            return
        yield _gauge("up", 1)
        for measure in _COUNTS:
            counts = found.get(measure, {})
            yield _counts(measure, dict.fromkeys(STATES, 0.0) | counts if measure == "incidents" else counts)
        times = {
            "last_commit_timestamp_seconds": found.get("committed_at", {}).get("unknown"),
            "checkpoint_timestamp_seconds": saved_at(self._checkpoints),
            "oldest_waiting_timestamp_seconds": found.get("waiting_since", {}).get("unknown"),
        }
        yield from (_gauge(name, moment) for name, moment in times.items() if moment is not None)


def _counts(measure: str, counts: Mapping[str, float]) -> Metric:
    label, text = _COUNTS[measure]
    family = GaugeMetricFamily(f"{_PREFIX}{measure}", text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def _gauge(name: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_PREFIX}{name}", _PLAIN[name], value=value)

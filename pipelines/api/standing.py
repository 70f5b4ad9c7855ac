"""Metrics that are read from the warehouse at each scrape: what all workers of a home have left there together."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import duckdb
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipelines.api import reading
from pipelines.checkpoint import saved_at
from pipelines.metrics import STATES
from warehouse import Warehouse, WarehouseError

log = logging.getLogger(__name__)

#: Name of the metric, its label and its text, by measure of ``queries/standing.sql``.
_COUNTS = {
    "incidents": ("plumbline_warehouse_incidents", "state", "Incidents."),
    "signals": ("plumbline_warehouse_signals", "family", "Signals."),
    "dead_letters": ("plumbline_warehouse_dead_letters", "reason", "Unreadable messages that were not replayed."),
    "notifications_waiting": (
        "plumbline_warehouse_notifications_waiting",
        "channel",
        "Notifications that no channel has taken yet.",
    ),
    "notifications_set_aside": (
        "plumbline_warehouse_notifications_set_aside",
        "channel",
        "Notifications that their channel will never take.",
    ),
}


class Standing(Collector):
    """The warehouse as gauges. One that does not answer leaves ``plumbline_warehouse_up`` at 0, and no figure."""

    def __init__(self, warehouse: Warehouse, checkpoints: Path) -> None:
        self._warehouse, self._checkpoints = warehouse, checkpoints

    def describe(self) -> list[Metric]:
        """Nothing: what there is, is known at the scrape."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read the figures."""
        try:
            found = reading.standing(self._warehouse)
        except (WarehouseError, duckdb.Error) as error:
            log.warning("the warehouse did not answer a scrape: %s", type(error).__name__)
            yield _gauge("up", "Whether the warehouse answered.", 0)
            return
        yield _gauge("up", "Whether the warehouse answered.", 1)
        for measure, (name, label, text) in _COUNTS.items():
            family = GaugeMetricFamily(name, text, labels=[label])
            counts = found.get(measure, {})
            for value, count in (dict.fromkeys(STATES, 0) | counts if measure == "incidents" else counts).items():
                family.add_metric([value], count)
            yield family
        waiting = found.get("waiting_since", {}).get("unknown")
        if waiting is not None:
            yield _gauge("oldest_waiting_timestamp_seconds", "Unix time since when a notification waits.", waiting)
        committed = found.get("committed_at", {}).get("unknown")
        if committed is not None:
            yield _gauge("last_commit_timestamp_seconds", "Unix time of the last commit of any worker.", committed)
        saved = saved_at(self._checkpoints)
        if saved is not None:
            yield _gauge("checkpoint_timestamp_seconds", "Unix time of the detectors' last checkpoint.", saved)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"plumbline_warehouse_{name}", text, value=value)

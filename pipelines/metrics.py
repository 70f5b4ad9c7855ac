"""What a process tells of its own health: counters, gauges and histograms in one registry, read by Prometheus.

Beside the flow: the stream counts its batches here, the notifier its deliveries, and :mod:`pipelines.exposition` serves them.
A label's values are ours or the operator's (topic, family, reason, channel), never text from traces: those names are without
number. What is not known is NaN, which raises no alert, and never zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)

# Else every counter is told twice in the text format, the second time as a gauge with the time of its first increment.
disable_created_metrics()

#: Upper bounds in seconds: a commit takes 20 ms to some seconds, and waits behind another writer for up to minutes.
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
STATES = ("open", "acknowledged", "silenced", "resolved", "merged")
_UNKNOWN = math.nan


class Metrics:
    """The metrics of one process, in a registry of its own.

    Attributes
    ----------
    registry : CollectorRegistry
    messages, batches, spans, redelivered, late, outcomes, observations : Counter
        Totals since the start of the process.
    dead_letters : Counter
        By ``reason``.
    signals : Counter
        By ``family``; those that were new in the warehouse.
    commit_seconds, detect_seconds : Histogram
        Time per batch, in seconds.
    deliveries : Counter
        By ``channel`` and ``verdict`` (:class:`pipelines.notifications.message.Verdict`).
    delivery_seconds : Histogram
        Time of one try, by ``channel``, in seconds.
    incidents : Gauge
        By ``state``.
    last_commit, watermark, checkpoint : Gauge
        Unix times in seconds; NaN until there is one.
    outage, detecting : Gauge
        0 or 1.

    Examples
    --------
    >>> metrics = Metrics()
    >>> metrics.delivered("slack-platform", "delivered", 0.2)
    >>> metrics.registry.get_sample_value(
    ...     "plumbline_deliveries_total", {"channel": "slack-platform", "verdict": "delivered"}
    ... )
    1.0
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = self._counter("messages", "Messages of spans taken from the source.")
        self.batches = self._counter("batches", "Batches committed.")
        self.spans = self._counter("spans", "Spans stored.")
        self.redelivered = self._counter("redelivered_spans", "Spans dropped because they were stored before.")
        self.late = self._counter("late_spans", "Spans that came after detection had judged their run.")
        self.outcomes = self._counter("late_outcomes", "Outcomes stored from messages of their own.")
        self.observations = self._counter("observations", "Observations put through the detectors, replays included.")
        self.dead_letters = self._counter("dead_letters", "Messages set aside because they can't be read.", "reason")
        self.signals = self._counter("signals", "New signals stored.", "family")
        self.deliveries = self._counter("deliveries", "Tries to deliver a notification.", "channel", "verdict")
        self.commit_seconds = self._histogram("commit_seconds", "Time of one batch's transaction, waits included.")
        self.detect_seconds = self._histogram("detect_seconds", "Time of detection per batch, publishing included.")
        self.delivery_seconds = self._histogram("delivery_seconds", "Time of one try to deliver.", "channel")
        self.incidents = self._gauge("incidents", "Incidents in the warehouse.", "state")
        self.last_commit = self._gauge("last_commit_timestamp_seconds", "Unix time of this worker's last commit.")
        self.watermark = self._gauge("watermark_timestamp_seconds", "Event time up to which runs have been judged.")
        self.checkpoint = self._gauge("checkpoint_timestamp_seconds", "Unix time of the detectors' last checkpoint.")
        self.outage = self._gauge("outage", "1 while this worker waits for the broker or the catalog.")
        self.detecting = self._gauge("detecting", "1 while this worker detects for all workers of the home.")
        self._lag = self._gauge(
            "consumer_lag_messages", "Messages of the partition that are not read yet.", "topic", "partition"
        )
        for gauge in (self.last_commit, self.watermark, self.checkpoint):
            gauge.set(_UNKNOWN)
        self._lagging: set[tuple[str, int]] = set()
        ProcessCollector(registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"plumbline_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"plumbline_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"plumbline_{name}", text, labels, buckets=_SECONDS, registry=self.registry)

    def lag(self, places: Mapping[tuple[str, int], tuple[int, int]]) -> None:
        """Note how far this worker is behind; partitions that it reads no more are forgotten.

        Parameters
        ----------
        places : mapping
            (position, end) by (topic, partition) of all that it reads.
        """
        for topic, partition in self._lagging - places.keys():
            self._lag.remove(topic, str(partition))
        for (topic, partition), (position, end) in places.items():
            self._lag.labels(topic, str(partition)).set(max(0, end - position))
        self._lagging = set(places)

    def count_incidents(self, by_state: Mapping[str, int]) -> None:
        """Note how many incidents there are in each state."""
        for state in STATES:
            self.incidents.labels(state).set(by_state.get(state, 0))

    def delivered(self, channel: str, verdict: str, seconds: float) -> None:
        """Count one try to deliver a notification, whatever became of it."""
        self.deliveries.labels(channel, verdict).inc()
        self.delivery_seconds.labels(channel).observe(seconds)


def unix_time(moment: datetime | None) -> float:
    """Return a UTC time without a zone as Unix time in seconds; NaN for None.

    Examples
    --------
    >>> unix_time(datetime(1970, 1, 1, 0, 1)), unix_time(None)
    (60.0, nan)
    """
    return _UNKNOWN if moment is None else moment.replace(tzinfo=UTC).timestamp()

"""Detection behind the warehouse: open runs, detectors, incidents, and the checkpoint that lets both start again.

It only ever sees rows that are committed. After a crash it takes up the last checkpoint and reads what was committed since
from the warehouse, in the order of arrival: the same observations in the same order raise the same signals with the same ids.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import polars as pl

from detectors import Monitor, MonitorSettings, StateError
from pipelines import batch as batches
from pipelines import checkpoint
from pipelines.alerts import store
from pipelines.alerts.evidence import explained
from pipelines.runs import FACTS, OpenRuns
from pipelines.settings import Settings
from pipelines.sources.base import Positions, Source
from warehouse import Warehouse

_Keys = set[tuple[str, int]]
#: Committed batches read at a time when catching up.
_REPLAY_BATCHES = 4


class Detection:
    """The detectors of one stream, their open runs and their checkpoint.

    Attributes
    ----------
    observations, signals : int
        Counted since the start of this process, replay included.
    rewarmed : str or None
        Why the detectors start from the warehouse's beginning rather than from a checkpoint; None if they did not.
    """

    def __init__(self, settings: Settings, warehouse: Warehouse) -> None:
        self._settings, self._warehouse = settings, warehouse
        self._monitor_settings = monitor_settings(settings)
        self.monitor = Monitor(self._monitor_settings)
        self.runs = OpenRuns(
            lateness=timedelta(seconds=settings.allowed_lateness_seconds),
            timeout=timedelta(seconds=settings.run_timeout_seconds),
        )
        self.positions: Positions = {}
        self.observations = self.signals = 0
        self.rewarmed: str | None = None
        self._policies = warehouse.query("SELECT policy, version, effective_at FROM catalog_policies")
        self._saved_at = time.monotonic()

    def resume(self, source: Source) -> None:
        """Take up the checkpoint and catch up with the warehouse.

        The watermark waits here as it waits in the stream: for every partition of the source that has more to come, from
        the warehouse or after it.
        """
        saved = checkpoint.load(self._settings.checkpoints)
        committed = batches.positions(self._warehouse)
        if saved is not None and all(committed.get(key, -1) >= offset for key, offset in saved.positions.items()):
            try:
                self.monitor = Monitor.decode(saved.monitor, self._monitor_settings)
            except StateError as error:
                self.rewarmed = str(error)
            else:
                for name, value in saved.runs.items():
                    setattr(self.runs, name, value)
                self.positions = dict(saved.positions)
        elif committed:
            self.rewarmed = "no checkpoint that fits the warehouse was found"
        if self.positions == committed:
            return
        behind = source.behind(committed)
        for spans, facts, now, to_come in self._since(self.positions):
            self.process(spans, facts, waiting_for=now if source.sequential else behind | to_come)
        self.positions = committed
        self.save()

    def _since(self, positions: Positions) -> Iterator[tuple[pl.DataFrame, dict[str, pl.DataFrame], _Keys, _Keys]]:
        """Committed rows after the positions, a few batches at a time, in order of arrival.

        With each piece come the partitions of its last batch, and those of which the warehouse has more to come.
        """
        connection = self._warehouse.connection
        known = pl.DataFrame(
            [(*key, offset) for key, offset in positions.items()],
            schema={"topic": pl.String, "partition": pl.Int32, "seen": pl.Int64},
            orient="row",
        )
        connection.register("checkpoint_positions", known.to_arrow())
        try:
            arrivals = connection.execute(_UNSEEN_ARRIVALS).pl()
            moments = arrivals["ingested_at"].unique().sort().to_list()
            for first in range(0, len(moments), _REPLAY_BATCHES):
                bounds = (moments[first], moments[min(first + _REPLAY_BATCHES, len(moments)) - 1])
                frames = {
                    name: connection.execute(_UNSEEN_ROWS.format(table=name), bounds).pl() for name in ("spans", *FACTS)
                }
                now = _keys(arrivals.filter(pl.col("ingested_at") == bounds[1]))
                to_come = _keys(arrivals.filter(pl.col("ingested_at") > bounds[1]))
                yield frames.pop("spans"), frames, now, to_come
        finally:
            connection.unregister("checkpoint_positions")

    def process(
        self, spans: pl.DataFrame, facts: dict[str, pl.DataFrame], waiting_for: set[tuple[str, int]]
    ) -> list[store.Incident]:
        """Take committed rows in, and return the incidents that opened or changed, already stored."""
        self.runs.add(spans, facts)
        return self.flush(waiting_for)

    def flush(self, waiting_for: set[tuple[str, int]]) -> list[store.Incident]:
        """Put the runs that the watermark has passed through the detectors; return the incidents that changed."""
        observations = self.runs.release(waiting_for, self._policies)
        if observations.is_empty():
            return []
        self.observations += len(observations)
        signals = self.monitor.update(observations)
        if signals.is_empty():
            return []
        self.signals += len(signals)
        return store.record(explained(signals, self._warehouse), self._warehouse)

    def checkpoint_due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() - self._saved_at >= self._settings.checkpoint_seconds

    def save(self) -> None:
        """Write the checkpoint of everything processed so far."""
        checkpoint.save(self._settings.checkpoints, self.positions, self.monitor.encode(), self.runs)
        self._saved_at = time.monotonic()


def _keys(arrivals: pl.DataFrame) -> _Keys:
    return set(arrivals.select("topic", "partition").iter_rows())


_UNSEEN_ARRIVALS = """
SELECT DISTINCT s.ingested_at, s.topic, s."partition"
FROM spans AS s LEFT JOIN checkpoint_positions AS c ON c.topic = s.topic AND c."partition" = s."partition"
WHERE s."offset" >= coalesce(c.seen, 0)
ORDER BY ALL
"""
_UNSEEN_ROWS = """
SELECT s.*
FROM {table} AS s LEFT JOIN checkpoint_positions AS c ON c.topic = s.topic AND c."partition" = s."partition"
WHERE s."offset" >= coalesce(c.seen, 0) AND s.ingested_at BETWEEN ? AND ?
ORDER BY s.ingested_at, s.topic, s."partition", s."offset"
"""


def monitor_settings(settings: Settings) -> MonitorSettings:
    """Return the detectors' settings as the operator's settings give them."""
    given: dict[str, float | bool] = {"second_opinion": settings.second_opinion}
    if settings.alarm_budget_per_week is not None:
        given["alarm_budget_per_week"] = settings.alarm_budget_per_week
    return MonitorSettings(**given)  # pyright: ignore[reportArgumentType]

"""Detection behind the warehouse: open runs, detectors, incidents, and the checkpoint that lets both start again.

It only ever sees rows that are committed. Of a home's workers one holds the lease and detects for all: it puts its own
batches through as they are committed, and takes the others' from the warehouse. In which order they come does not matter,
because runs wait for the watermark, and the watermark for every partition of the topic, whoever reads it. After a crash the
next holder takes up the last checkpoint and reads what was committed since: the same observations in the same order raise
the same signals with the same ids.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from detectors import Monitor, StateError
from pipelines import batch as batches
from pipelines import checkpoint
from pipelines.alerts import store
from pipelines.alerts.evidence import explained
from pipelines.alerts.feedback import Feedback, Judgement
from pipelines.alerts.recovery import Returns, pieces_of
from pipelines.history import History
from pipelines.latches import Latches
from pipelines.lease import Lease
from pipelines.monitoring import monitor_settings
from pipelines.outage import Patience
from pipelines.readiness import Readiness
from pipelines.runs import FACTS, OpenRuns
from pipelines.settings import Settings
from pipelines.sources.base import Positions, Source
from pipelines.stages.observe import LEAN
from pipelines.stages.rules import Declared
from warehouse import Warehouse, WarehouseBusyError

_Keys = set[tuple[str, int]]
#: Committed batches read at a time when catching up.
_REPLAY_BATCHES = 4
#: How often the holder looks for what other workers have committed, in seconds.
_FOLLOW_SECONDS = 0.5
#: How often the holder looks for what people have said about incidents, in seconds.
_HEAR_SECONDS = 2.0
#: Rows are looked for from this long before the last look on: by as much may a clock have been set back.
_CLOCK_STEP = timedelta(hours=1)
#: Partitions this far (event time) beyond the slowest one are ahead of it.
_ABREAST = timedelta(minutes=10)


class Detection:
    """The detectors of one home, their open runs and their checkpoint, for as long as this worker holds the lease.

    Parameters
    ----------
    patience : Patience
        Carries it through a locked catalog or a silent broker.

    Attributes
    ----------
    lease : Lease
        Without it every method leaves all as it is.
    observations, signals : int
        Counted since the start of this process, replay included.
    stored : Counter of str
        Signals that were new in the warehouse, by family.
    saved_at : datetime or None
        When the checkpoint was last written by this process (UTC); None while it holds no lease.
    ahead : set of (topic, partition)
        Partitions to read nothing of for now: their spans fill memory while they wait for the slowest one.
    rewarmed : str or None
        Why the detectors start from the warehouse's beginning rather than from a checkpoint; None if they did not.
    """

    def __init__(self, settings: Settings, warehouse: Warehouse, patience: Patience) -> None:
        self._settings, self._warehouse, self._patience = settings, warehouse, patience
        self._monitor_settings = monitor_settings(settings)
        self.lease = Lease(settings.home / "detection.lock")
        self.observations = self.signals = 0
        self.stored: Counter[str] = Counter()
        self.saved_at: datetime | None = None
        self.rewarmed: str | None = None
        self._policies = warehouse.query("SELECT policy, version, effective_at FROM catalog_policies")
        self._declared = Declared.of(
            warehouse.query("SELECT workflow, models, effects_allowed, drift FROM catalog_workflows"),
            warehouse.query("SELECT tool_name, effect FROM catalog_tools"),
        )
        self._begin_afresh()

    def _begin_afresh(self) -> None:
        self.monitor = Monitor(self._monitor_settings)
        self.latches = Latches()
        self.history = History()
        self.returns = Returns()
        self.runs = OpenRuns(
            lateness=timedelta(seconds=self._settings.allowed_lateness_seconds),
            timeout=timedelta(seconds=self._settings.run_timeout_seconds),
        )
        self.positions: Positions = {}
        self.feedback = Feedback(self._warehouse)
        self._readiness = Readiness(self._warehouse)
        self.ahead: _Keys = set()
        self._followed_at: datetime | None = None
        self._looked_at = self._saved_at = self._heard_at = time.monotonic()

    def take_lease(self, source: Source) -> list[store.Incident]:
        """Try for the lease; with it, take up the checkpoint and catch up with the warehouse."""
        if not self.lease.take():
            return []
        with self._whole():
            self._begin_afresh()
            self.rewarmed = None
            self._take_up()
            changed = self._follow(source) + self._hear()
        self.save()
        return changed

    def _take_up(self) -> None:
        saved = checkpoint.load(self._settings.checkpoints)
        committed = batches.positions(self._warehouse)
        if saved is not None and all(committed.get(key, -1) >= offset for key, offset in saved.positions.items()):
            try:
                self.monitor = Monitor.decode(saved.monitor, self._monitor_settings)
            except StateError as error:
                # What to do about it is done: the warehouse tells them all again.
                self.rewarmed = error.what
            else:
                self.latches = Latches(**saved.latches)
                self.history = History(**saved.history)
                self.returns = Returns(saved.returns)
                for name, value in saved.runs.items():
                    setattr(self.runs, name, value)
                self.positions = dict(saved.positions)
                self.feedback = Feedback(self._warehouse, saved.judgements)
        elif committed:
            self.rewarmed = "no checkpoint that fits the warehouse was found"

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Give the lease up on any error: what the detectors know half must not be saved, nor gone on from."""
        try:
            yield
        except BaseException:
            self.lease.release()
            raise

    def take(
        self, fresh: batches.Batch | None, source: Source, waiting_for: _Keys | None = None
    ) -> list[store.Incident]:
        """Put a committed batch through, and what other workers have committed; return the incidents that changed.

        Parameters
        ----------
        fresh : Batch or None
            What this worker has just committed.
        source : Source
        waiting_for : set of (topic, partition), optional
            Partitions that hold back the watermark, where it is not for the source to say.
        """
        if not self.lease.held:
            self.ahead = set()
            return []
        with self._whole():
            changed: list[store.Incident] = []
            in_line = fresh is not None and all(
                self.positions.get(key) == fresh.before.get(key) for key in fresh.positions
            )
            if fresh is not None and in_line:
                self.positions.update(fresh.positions)
                self.runs.add(fresh.spans, fresh.facts)
            if not in_line or time.monotonic() - self._looked_at >= _FOLLOW_SECONDS:
                changed += self._follow(source)
            if not self.lease.held:
                return changed
            waiting = self._waiting(source, self.positions) if waiting_for is None else waiting_for
            changed += self._flush(waiting)
            if time.monotonic() - self._heard_at >= _HEAR_SECONDS:
                changed += self._hear()
            self._hold(waiting)
            return changed

    def _hold(self, waiting: _Keys) -> None:
        """Say which partitions to hold: while too many spans wait for the slowest one, until half of them have gone."""
        held = 0 if self.runs.spans is None else len(self.runs.spans)
        if held > self._settings.open_spans or (self.ahead and held > self._settings.open_spans / 2):
            self.ahead = self.runs.ahead(waiting, _ABREAST)
        else:
            self.ahead = set()

    def _waiting(self, source: Source, taken: Positions) -> _Keys:
        return self._patience.through(lambda: source.open_partitions(taken))

    def _follow(self, source: Source) -> list[store.Incident]:
        """Take in what is committed and was not yet seen; stopped on the way, give the lease up and leave the rest."""
        self._looked_at = time.monotonic()
        committed = batches.positions(self._warehouse)
        if committed == self.positions:
            return []
        changed: list[store.Incident] = []
        for spans, facts, now, to_come in self._since(committed):
            if self._patience.stopping():
                self.lease.release()
                return changed
            self.runs.add(spans, facts)
            waiting = now if source.sequential else self._waiting(source, committed) | to_come
            changed += self._flush(waiting)
        self.positions = committed
        return changed

    def _since(self, committed: Positions) -> Iterator[tuple[pl.DataFrame, dict[str, pl.DataFrame], _Keys, _Keys]]:
        """Rows between the positions taken in and the committed ones, a few batches at a time, in order of arrival.

        With each piece come the partitions of its last batch, and those of which the warehouse has more to come.
        """
        connection = self._warehouse.connection
        now = batches.utc_now()
        ranges = pl.DataFrame(
            [(*key, self.positions.get(key, 0), end) for key, end in committed.items()],
            schema={"topic": pl.String, "partition": pl.Int32, "first": pl.Int64, "end": pl.Int64},
            orient="row",
        ).filter(pl.col("first") < pl.col("end"))
        connection.register("unseen_ranges", ranges.to_arrow())
        try:
            earliest = datetime.min if self._followed_at is None else self._followed_at - _CLOCK_STEP
            arrivals = connection.execute(_UNSEEN_ARRIVALS, [earliest]).pl()
            moments = arrivals["ingested_at"].unique().sort().to_list()
            for first in range(0, len(moments), _REPLAY_BATCHES):
                bounds = (moments[first], moments[min(first + _REPLAY_BATCHES, len(moments)) - 1])
                frames = {
                    name: connection.execute(_UNSEEN_ROWS.format(table=name, columns=columns), bounds).pl()
                    for name, columns in _COLUMNS.items()
                }
                last = _keys(arrivals.filter(pl.col("ingested_at") == bounds[1]))
                to_come = _keys(arrivals.filter(pl.col("ingested_at") > bounds[1]))
                yield frames.pop("spans"), frames, last, to_come
        finally:
            connection.unregister("unseen_ranges")
        self._followed_at = now

    def _flush(self, waiting_for: _Keys) -> list[store.Incident]:
        """Put the runs that the watermark has passed through the detectors; return the incidents that changed."""
        observations = self.runs.release(waiting_for, self._policies, self._declared)
        self.observations += len(observations)
        changed: list[store.Incident] = []
        for judgement in self.feedback.due(self.runs.watermark):
            is_before = pl.col("at") <= judgement.watermark_at
            changed += self._watch(observations.filter(is_before))
            observations = observations.filter(~is_before)
            self._rearm(judgement)
        return changed + self._watch(observations)

    def _watch(self, observations: pl.DataFrame) -> list[store.Incident]:
        """Put observations through the detectors and the rules, store what they find, and resolve the incidents that are back."""
        changed: list[store.Incident] = []
        while not observations.is_empty():
            piece, observations = pieces_of(observations)
            place = self.returns.advance(piece)
            if place is not None:
                is_before = pl.col("at") <= place
                piece, rest = piece.filter(is_before), piece.filter(~is_before)
                observations = pl.concat([rest, observations])
            changed += self._found(piece)
            if place is not None:
                changed += self._returned(place)
        return changed

    def _found(self, observations: pl.DataFrame) -> list[store.Incident]:
        signals = watched(observations, self.monitor, self.latches, self.history)
        if signals.is_empty():
            return []
        self.signals += len(signals)
        changed = self._patience.through(lambda: self._record(signals))
        self.returns.add(store.stored(signals, self._warehouse), observations)
        return changed

    def _returned(self, place: datetime) -> list[store.Incident]:
        changed: list[store.Incident] = []
        for incident_id, why in self.returns.back(place).items():
            judgement, resolved = self._patience.through(partial(self.feedback.itself, incident_id, place, why))
            self.returns.drop(incident_id)
            if judgement is not None:
                self._rearm(judgement)
            changed += resolved
        return changed

    def _record(self, signals: pl.DataFrame) -> list[store.Incident]:
        fresh = store.unknown(signals, self._warehouse)
        if fresh.is_empty():
            return []
        told = explained(fresh, self._warehouse, self.runs.timeout, self._policies, self._declared)
        changed = store.record(told, self._warehouse)
        self.stored.update(fresh["family"].to_list())
        return changed

    def _hear(self) -> list[store.Incident]:
        """Follow what people have said about incidents since the last look; return those incidents."""
        self._heard_at = time.monotonic()
        judgements, changed = self._patience.through(lambda: self.feedback.new(self.runs.watermark))
        for judgement in judgements:
            self._rearm(judgement)
        return changed

    def _rearm(self, judgement: Judgement) -> None:
        self.returns.forget(judgement.streams)
        for stream in judgement.streams:
            self.monitor.rearm(*stream, relearn=judgement.relearn)
            self.latches.rearm(*stream, relearn=judgement.relearn)

    def checkpoint_due(self) -> bool:
        """Whether it is time to save again."""
        return time.monotonic() - self._saved_at >= self._settings.checkpoint_seconds

    def save(self) -> None:
        """Write the checkpoint of everything processed so far, and how far the streams are; only the lease's holder does."""
        self.saved_at = None
        if self.lease.held:
            state, answered = self.monitor.encode(), self.feedback.applied
            checkpoint.save(
                self._settings.checkpoints,
                self.positions,
                state,
                self.runs,
                answered,
                self.latches,
                self.history,
                self.returns,
            )
            self.saved_at = batches.utc_now()
            # Who holds the catalog now need not hold up the detectors: the next checkpoint says it as well.
            with suppress(WarehouseBusyError):
                self._readiness.note(self.monitor.readiness())
        self._saved_at = time.monotonic()


def watched(observations: pl.DataFrame, monitor: Monitor, latches: Latches, history: History) -> pl.DataFrame:
    """Return the signals of observations in the order of their time; of one moment, those of the detectors come first."""
    observations = history.update(observations)
    is_rule = pl.col("kind") == "rule"
    signals = [monitor.update(observations.filter(~is_rule)), latches.update(observations.filter(is_rule))]
    return pl.concat(signals).sort("at", maintain_order=True)


def _keys(arrivals: pl.DataFrame) -> _Keys:
    return set(arrivals.select("topic", "partition").iter_rows())


#: What of each table the open runs take in.
_COLUMNS = {
    "spans": ", ".join(f's."{name}"' for name in [*LEAN, "quality_flags"]),
    **dict.fromkeys(FACTS, "s.*"),
}
_UNSEEN_ARRIVALS = """
SELECT DISTINCT s.ingested_at, s.topic, s."partition"
FROM spans AS s JOIN unseen_ranges AS r ON r.topic = s.topic AND r."partition" = s."partition"
WHERE s."offset" >= r.first AND s."offset" < r."end" AND s.ingested_at >= ?
ORDER BY ALL
"""
_UNSEEN_ROWS = """
SELECT {columns}
FROM {table} AS s JOIN unseen_ranges AS r ON r.topic = s.topic AND r."partition" = s."partition"
WHERE s."offset" >= r.first AND s."offset" < r."end" AND s.ingested_at BETWEEN ? AND ?
ORDER BY s.ingested_at, s.topic, s."partition", s."offset"
"""

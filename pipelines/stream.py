"""The main job: poll, stages, commit, detect, notify.

The order for each batch, and what a crash after each step leaves:

1. Poll raw messages until a batch is full or old enough. (Nothing is remembered: they are polled again.)
2. Decode, normalise, price: pure functions. (As before.) Behind a backlog a second thread does this for the next batch
   while the first commits and detects; a batch that did not fill up is taken through at once.
3. Commit spans, facts, dead letters and consumed offsets in one transaction, redelivered spans dropped. (From here the
   warehouse's offsets say where to go on; the detectors catch up from the warehouse's rows.)
4. Open runs and detectors; signals and incidents are stored under ids that follow from their content. (A replay finds
   them there already.)
5. Write down who is to be told of what, and hand it to the channels' threads. (:mod:`pipelines.notifications.notifier`: sent
   again under the same id, if the note of its delivery was lost.)
6. Every 30 s, and at the end, write the detectors' checkpoint with the offsets it has seen.

Any number of workers do steps 1 to 3 on one home, each on the partitions that the consumer group gives it; one of them, the
holder of the lease, does 4 to 6 for all. A step that meets a silent broker or a locked catalog is tried again as it is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import polars as pl

from pipelines import batch as batches
from pipelines.alerts import operations
from pipelines.dead_letters.topic import DeadLetterTopic
from pipelines.detection import Detection
from pipelines.metrics import Metrics, unix_time
from pipelines.notifications.notifier import Notifier
from pipelines.outage import OUTAGES, Patience
from pipelines.settings import Settings
from pipelines.sources.base import Source
from pipelines.sources.kafka import utc_now
from pipelines.stages.rates import read_rates
from pipelines.timings import Timings
from pipelines.watch import FetchWatch
from warehouse import Warehouse

#: A batch is also full at this many bytes of messages, whatever their number.
_BATCH_BYTES = 64 * 2**20
_POLL_SECONDS = 0.2
#: A batch that is overdue is still polled for once, this long.
_LEAST_POLL_SECONDS = 0.05
#: Looks at the fetch, and at how far others are, within each stall_seconds: often enough to notice soon, and the first to
#: notice that the broker is gone.
_LOOKS, _LONGEST_LOOK = 6, 5.0
#: Asked to stop, a worker waits this much longer for locks, and this long for the broker and for channels, in seconds: it must
#: end within ten.
_STOP_LOCK_SECONDS, _STOP_BROKER_SECONDS = 4.0, 1.5
_STATES = "SELECT state, count(*) FROM incidents GROUP BY state"
#: At the end of the log it waits this long for channels; what they have not taken then, the next worker sends.
_FLUSH_SECONDS = 10.0


@dataclass(slots=True)
class Progress:
    """Counts and times since the start of the process."""

    timings: Timings = field(default_factory=Timings)
    messages: int = 0
    spans: int = 0
    redelivered: int = 0
    flagged: int = 0
    dead_letters: int = 0
    outcomes: int = 0
    empty_messages: int = 0
    batches: int = 0
    observations: int = 0
    signals: int = 0
    late_spans: int = 0


class Stream:
    """One worker.

    Parameters
    ----------
    report : callable
        Called with the running counts after each batch.
    tell : callable
        Gets one line about an outage or an early end.
    metrics : Metrics, optional
        Where it counts, for whoever serves them.
    dead_letter_topic : DeadLetterTopic or None
        Gets a copy of what could not be read; None where there is no broker.
    """

    def __init__(
        self,
        settings: Settings,
        source: Source,
        warehouse: Warehouse,
        notifier: Notifier,
        report: Callable[[Progress], None],
        tell: Callable[[str], None] = lambda _: None,
        *,
        dead_letter_topic: DeadLetterTopic | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._settings, self._source, self._warehouse = settings, source, warehouse
        self._notifier, self._report, self._tell = notifier, report, tell
        self._dead_letter_topic = dead_letter_topic
        self._stopping = False
        self._metrics = metrics or Metrics()
        self._patience = Patience(settings.outage_seconds, tell, lambda: self._stopping, self._metrics.outage.set)
        self.detection = Detection(settings, warehouse, self._patience)
        self._told: Counter[str] = Counter()
        self._rates = read_rates(warehouse.query)
        self.progress = Progress()
        self._watch = FetchWatch(settings.stall_seconds)
        self._gathered_at = time.monotonic()
        self._watched_at = time.monotonic()
        # Messages hold anything from one span to thousands: learned from the last batch, a Collector's batch to begin with.
        self._spans_per_message = 100.0

    def stop(self) -> None:
        """Finish the batch in hand, commit, checkpoint, and return from :meth:`run` within ten seconds.

        Safe in a signal handler, and to call again: a lock or a broker that keeps the worker waiting does so no longer, and
        what is then not committed is read again at the next start.
        """
        if not self._stopping:
            self._stopping = True
            self._warehouse.give_up_at = time.monotonic() + _STOP_LOCK_SECONDS
            if self._dead_letter_topic is not None:
                self._dead_letter_topic.patience_seconds = _STOP_BROKER_SECONDS

    def run(self, *, until_end: bool) -> Progress:
        """Stream until stopped, or until all that is there is consumed.

        Raises
        ------
        pipelines.errors.TransientError, warehouse.WarehouseBusyError
            The broker or the catalog did not answer for longer than ``outage_seconds``; everything committed stays.
        warehouse.WarehouseFullError
            The disk is full; everything committed stays.
        """
        try:
            self._consume(until_end)
        except OUTAGES as error:
            if not self._stopping:
                raise
            self._tell(f"stopped without the batch in hand, which is read again at the next start: {error}")
        finally:
            with suppress(*OUTAGES):  # what is not written down is sent again
                self._notifier.close(_STOP_BROKER_SECONDS)
            self.detection.lease.release()
        return self.progress

    def _consume(self, until_end: bool) -> None:
        self._lead()
        self._patience.through(lambda: self._source.seek(lambda: batches.positions(self._warehouse)))
        timings = self.progress.timings
        with ThreadPoolExecutor(1, thread_name_prefix="prepare") as ahead:
            prepared: Future[batches.Batch] | None = None
            while not self._stopping:
                self._lead()
                with timings.of("poll"):
                    messages, full = self._patience.through(lambda: self._gather(until_end))
                coming = None
                if not messages.is_empty():
                    coming = ahead.submit(batches.prepare, messages, self._settings, timings, self._rates)
                nothing_came = messages.is_empty()
                del messages  # two batches at most are in memory: the one in hand and the one being prepared
                if prepared is not None:
                    prepared = self._finish(prepared)
                if full:
                    prepared, coming = coming, None
                elif coming is not None:
                    coming = self._finish(coming)
                self._source.hold(self.detection.ahead)
                if nothing_came:
                    if until_end and self._patience.through(self._source.at_end):
                        break
                    self._idle()
                self._look_after_fetch()
                if self.detection.checkpoint_due():
                    self.detection.save()
            if prepared is not None:
                prepared = self._finish(prepared)
        self._tell_of_expired()
        self._lead()
        self._detect(None, waiting_for=set() if until_end and not self._stopping else None)
        self.detection.save()
        if self.detection.lease.held:
            patience = _STOP_BROKER_SECONDS if self._stopping else _FLUSH_SECONDS
            self._patience.through(lambda: self._notifier.flush(patience))

    def _lead(self) -> None:
        """Take the detectors over if nobody runs them, and tell what a dead worker left untold."""
        if self.detection.lease.held or self._stopping:
            return
        self.detection.take_lease(self._source)
        if self.detection.lease.held:
            if self.detection.rewarmed:
                self._tell(f"detectors were warmed up from the warehouse: {self.detection.rewarmed}")
            self._notify(changed=True)
            self._count()

    def _idle(self) -> None:
        """Nothing came: note offsets without a message, and let runs go whose time has come."""
        skipped = self._patience.through(lambda: self._source.skipped(batches.positions(self._warehouse)))
        if skipped:
            self._patience.through(lambda: batches.advance(skipped, self._warehouse))
        self._detect(None)

    def _look_after_fetch(self) -> None:
        """Begin the fetch again where it stands still while the log goes on, and say so."""
        now = time.monotonic()
        if now - self._watched_at < min(_LONGEST_LOOK, self._settings.stall_seconds / _LOOKS):
            return
        self._watched_at = now
        self._tell_of_expired()
        lag = self._patience.through(self._source.lag)
        self._metrics.lag(lag)
        self._count_incidents()
        on_hold = self._source.on_hold()
        stalled = self._watch.stalled({key: place for key, place in lag.items() if key not in on_hold})
        if not stalled:
            return
        events = [operations.stalled_fetch(*key, *lag[key], seconds) for key, seconds in stalled.items()]
        self._tell_of(events)
        self._patience.through(self._source.restart)
        self._watch.forget()

    def _count_incidents(self) -> None:
        states = self._patience.through(lambda: self._warehouse.query(_STATES))
        self._metrics.count_incidents(dict(states.rows()))

    def _tell_of_expired(self) -> None:
        self._tell_of([operations.expired_messages(*gap) for gap in self._source.expired()])

    def _tell_of(self, events: list[operations.OperationalEvent]) -> None:
        if events:
            self._patience.through(lambda: operations.record(events, self._warehouse))
            self._notifier.conditions_changed()
            self._notify(changed=True)

    def _gather(self, until_end: bool) -> tuple[pl.DataFrame, bool]:
        """Poll until the batch is full by spans or by bytes (then there is a backlog: true), or by age.

        Its age counts from the end of the batch before: what came while that one was worked on has waited already.
        """
        wanted = max(1, int(self._settings.batch_spans / self._spans_per_message))
        parts: list[pl.DataFrame] = []
        count = size = 0
        due = self._gathered_at + self._settings.batch_seconds
        while count < wanted and size < _BATCH_BYTES and not self._stopping:
            left = due - time.monotonic()
            least = 0.0 if parts else _LEAST_POLL_SECONDS
            try:
                polled = self._source.poll(wanted - count, min(max(left, least), _POLL_SECONDS))
                if polled.is_empty() and until_end and self._source.at_end():
                    break
            except OUTAGES:
                if parts:
                    break  # the source has gone beyond what is in hand: it must be committed, or it is lost
                raise
            if polled.is_empty():
                if left <= 0:
                    break
                continue
            parts.append(polled)
            count += len(polled)
            size += int(polled["value"].bin.size().sum() or 0)
        self._gathered_at = time.monotonic()
        return pl.concat(parts) if parts else pl.DataFrame(), count >= wanted or size >= _BATCH_BYTES

    def _finish(self, coming: Future[batches.Batch]) -> None:
        """Commit, detect, count. Returns None, so that a caller's name for the future can let go of the batch at once."""
        timings = self.progress.timings
        with timings.of("waiting for the stages"):
            prepared = coming.result()
        with timings.of("commit"), self._metrics.commit_seconds.time():
            fresh = self._patience.through(lambda: batches.commit(prepared, self._warehouse))
        topic = self._dead_letter_topic
        if topic is not None:
            self._patience.through(lambda: topic.copy(fresh.dead_letters))
        if prepared.messages:
            self._spans_per_message = max(1.0, prepared.received / prepared.messages)
        progress = self.progress
        progress.batches += 1
        progress.messages += prepared.messages
        progress.outcomes += len(fresh.stated)
        progress.spans += len(fresh.spans)
        progress.redelivered += prepared.received - len(fresh.spans)
        progress.flagged += int((fresh.spans["quality_flags"].list.len() > 0).sum())
        progress.dead_letters += len(fresh.dead_letters)
        progress.empty_messages += prepared.empty
        self._note(prepared, fresh)
        with timings.of("detect"), self._metrics.detect_seconds.time():
            self._detect(fresh)
        self._report(progress)

    def _note(self, prepared: batches.Batch, fresh: batches.Batch) -> None:
        """Count a committed batch for Prometheus."""
        metrics = self._metrics
        metrics.batches.inc()
        metrics.messages.inc(prepared.messages)
        metrics.spans.inc(len(fresh.spans))
        metrics.redelivered.inc(prepared.received - len(fresh.spans))
        metrics.outcomes.inc(len(fresh.stated))
        metrics.last_commit.set_to_current_time()
        for reason, letters in fresh.dead_letters["reason"].value_counts().iter_rows():
            metrics.dead_letters.labels(reason).inc(letters)

    def _detect(self, fresh: batches.Batch | None, waiting_for: set[tuple[str, int]] | None = None) -> None:
        changed = self.detection.take(fresh, self._source, waiting_for)
        self._notify(changed=bool(changed))
        self._count()

    def _notify(self, *, changed: bool) -> None:
        """Let the worker that detects also tell."""
        if self.detection.lease.held:
            self._patience.through(lambda: self._notifier.tick(utc_now(), changed=changed))

    def _count(self) -> None:
        progress, detection, metrics = self.progress, self.detection, self._metrics
        metrics.observations.inc(detection.observations - progress.observations)
        # Another checkpoint taken up may hold fewer; a counter only rises.
        metrics.late.inc(max(0, detection.runs.late_spans - progress.late_spans))
        progress.observations = detection.observations
        progress.signals = detection.signals
        progress.late_spans = detection.runs.late_spans
        for family, count in (detection.stored - self._told).items():
            metrics.signals.labels(family).inc(count)
        self._told = detection.stored.copy()
        held = detection.lease.held
        metrics.detecting.set(held)
        metrics.watermark.set(unix_time(detection.runs.watermark if held else None))
        metrics.checkpoint.set(unix_time(detection.saved_at if held else None))

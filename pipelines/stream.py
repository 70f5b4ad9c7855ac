"""The main job: poll, stages, commit, detect, publish.

The order for each batch, and what a crash after each step leaves:

1. Poll raw messages until a batch is full or old enough. (Nothing is remembered: they are polled again.)
2. Decode, normalise, price: pure functions. (As before.)
3. Commit spans, facts, dead letters and consumed offsets in one transaction, redelivered spans dropped. (From here the
   warehouse's offsets say where to go on; the detectors catch up from the warehouse's rows.)
4. Open runs and detectors; signals and incidents are stored under ids that follow from their content. (A replay finds
   them there already.)
5. Publish what the outbox holds. (Sent again under the same id, if the note of its delivery was lost.)
6. Every 30 s, and at the end, write the detectors' checkpoint with the offsets it has seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from pipelines import batch as batches
from pipelines.alerts.publish import Publisher
from pipelines.detection import Detection
from pipelines.settings import Settings
from pipelines.sources.base import Source
from warehouse import Warehouse

#: A batch is also full at this many bytes of messages, whatever their number.
_BATCH_BYTES = 64 * 2**20
_POLL_SECONDS = 0.2


@dataclass(slots=True)
class Progress:
    """Counts since the start of the process."""

    messages: int = 0
    spans: int = 0
    redelivered: int = 0
    flagged: int = 0
    dead_letters: int = 0
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
    """

    def __init__(
        self,
        settings: Settings,
        source: Source,
        warehouse: Warehouse,
        publisher: Publisher,
        report: Callable[[Progress], None],
    ) -> None:
        self._settings, self._source, self._warehouse = settings, source, warehouse
        self._publisher, self._report = publisher, report
        self.detection = Detection(settings, warehouse)
        self.progress = Progress()
        self._stopping = False
        # Messages hold anything from one span to thousands: learned from the last batch, a Collector's batch to begin with.
        self._spans_per_message = 100.0

    def stop(self) -> None:
        """Finish the batch in hand, commit, checkpoint, and return from :meth:`run`. Safe in a signal handler."""
        self._stopping = True

    def run(self, *, until_end: bool) -> Progress:
        """Stream until stopped, or until all that is there is consumed.

        Raises
        ------
        pipelines.errors.TransientError
            The broker or the catalog did not answer; everything committed stays, start again.
        """
        self.detection.resume(self._source)
        self._publisher.publish()
        self._source.seek(batches.positions(self._warehouse))
        while not self._stopping:
            messages = self._gather(until_end)
            if not messages.is_empty():
                self._through(messages)
            elif until_end and self._source.at_end():
                break
            else:
                self._detect(None)
            if self.detection.checkpoint_due():
                self.detection.save()
        self._detect(None, waiting_for=set() if until_end and not self._stopping else None)
        self.detection.save()
        return self.progress

    def _gather(self, until_end: bool) -> pl.DataFrame:
        """Poll until the batch is full by spans, by bytes, or by age."""
        wanted = max(1, int(self._settings.batch_spans / self._spans_per_message))
        parts: list[pl.DataFrame] = []
        count = size = 0
        began = time.monotonic()
        while count < wanted and size < _BATCH_BYTES and not self._stopping:
            left = self._settings.batch_seconds - (time.monotonic() - began)
            if left <= 0:
                break
            polled = self._source.poll(wanted - count, min(left, _POLL_SECONDS))
            if polled.is_empty():
                if until_end and self._source.at_end():
                    break
                continue
            parts.append(polled)
            count += len(polled)
            size += int(polled["value"].bin.size().sum() or 0)
        return pl.concat(parts) if parts else pl.DataFrame()

    def _through(self, messages: pl.DataFrame) -> None:
        prepared = batches.prepare(messages, self._settings)
        fresh = batches.commit(prepared, self._warehouse)
        self._publisher.set_aside(fresh.dead_letters)
        self._spans_per_message = max(1.0, prepared.received / prepared.messages)
        progress = self.progress
        progress.batches += 1
        progress.messages += prepared.messages
        progress.spans += len(fresh.spans)
        progress.redelivered += prepared.received - len(fresh.spans)
        progress.flagged += int((fresh.spans["quality_flags"].list.len() > 0).sum())
        progress.dead_letters += len(fresh.dead_letters)
        self._detect(fresh)
        self._report(progress)

    def _detect(self, fresh: batches.Batch | None, waiting_for: set[tuple[str, int]] | None = None) -> None:
        waiting = self._source.open_partitions() if waiting_for is None else waiting_for
        if fresh is not None:
            self.detection.positions.update(fresh.positions)
            changed = self.detection.process(fresh.spans, fresh.facts, waiting)
        else:
            changed = self.detection.flush(waiting)
        if changed:
            self._publisher.publish()
        self.progress.observations = self.detection.observations
        self.progress.signals = self.detection.signals
        self.progress.late_spans = self.detection.runs.late_spans

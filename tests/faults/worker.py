"""A worker that dies: `plumbline stream`, or another command, with a SIGKILL to itself at a point, or a moment, that it is told.

``python -m tests.faults.worker POINT NTH DELAY_MS ARGUMENT…``: at the NTH passing of POINT, DELAY_MS later. The product's
functions are wrapped, not changed: what runs is what an operator runs.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from pipelines import batch, checkpoint, detection
from pipelines import stream as streams
from pipelines.alerts import store
from pipelines.alerts.feedback import Feedback
from pipelines.cli import main
from pipelines.notifications import delivery, notifier, outbox
from warehouse import Warehouse


class Death:
    """Counts the passings of one point."""

    def __init__(self, point: str, nth: int, delay_ms: float) -> None:
        self.point, self.left, self.delay_ms = point, nth, delay_ms

    def at(self, point: str) -> None:
        if point != self.point:
            return
        self.left -= 1
        if self.left == 0:
            if self.delay_ms:
                # In the middle of whatever this thread does then: inside DuckDB's commit, for one.
                threading.Timer(self.delay_ms / 1000, die).start()
            else:
                die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after(owner: Any, name: str, then: Callable[[Any], None]) -> None:
    """Call `then` with what a function returned, before its caller gets it."""
    inner = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = inner(*arguments, **named)
        then(result)
        return result

    setattr(owner, name, wrapped)


def wrap(death: Death) -> None:
    after(streams.Stream, "_gather", lambda gathered: None if gathered[0].is_empty() else death.at("polled"))
    after(batch, "prepare", lambda _: death.at("prepared"))
    after(batch, "_without_known", lambda _: death.at("deduplicated"))
    after(batch, "_move", lambda _: death.at("all rows inserted"))
    after(batch, "commit", lambda _: death.at("committed"))
    after(detection, "explained", lambda _: death.at("observed"))
    after(Feedback, "new", lambda found: death.at("judgement placed") if found[0] else None)
    after(detection.Detection, "_hear", lambda changed: death.at("judgement followed") if changed else None)
    after(Feedback, "itself", lambda found: death.at("incident back") if found[1] else None)
    after(store, "assign", lambda _: death.at("recording"))
    after(store, "record", lambda _: death.at("recorded"))
    after(outbox, "add", lambda _: death.at("told"))
    after(delivery, "Tried", lambda _: death.at("published"))
    after(outbox, "note", lambda _: death.at("delivered"))
    after(checkpoint, "_write", lambda _: death.at("checkpoint written"))
    after(checkpoint, "save", lambda _: death.at("checkpointed"))
    inner = Warehouse.transaction

    def transaction(self: Warehouse, work: Callable[[Any], Any]) -> Any:
        def watched(connection: Any) -> Any:
            result = work(connection)
            death.at("committing")
            return result

        return inner(self, watched)

    Warehouse.transaction = transaction
    run = streams.Stream.run

    def running(self: streams.Stream, *, until_end: bool) -> Any:
        death.at("running")
        return run(self, until_end=until_end)

    streams.Stream.run = running
    flush = notifier.Notifier.flush

    def flushing(self: notifier.Notifier, patience_seconds: float) -> None:
        death.at("flushing")
        flush(self, patience_seconds)

    notifier.Notifier.flush = flushing


if __name__ == "__main__":
    wrap(Death(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
    sys.exit(main(sys.argv[4:]))

"""Ends that statements have: one thread of this process calls back when a time is over.

A thread per statement cannot be had from a process whose memory is bounded, just after a statement took all of it: what it gave
back stays reserved for the next one, and a thread needs eight megabytes of its own (or starts, fails, and is waited for without
end).
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# A wait of more seconds than the system counts would be an error.
_LONGEST_WAIT = 3600.0


class Deadlines:
    """Calls back when a time is over; its thread starts with the first one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    @contextmanager
    def within(self, seconds: float, then: Callable[[], object]) -> Iterator[None]:
        """Call `then` when the block has taken `seconds`; not once it is left. `then` must be quick and not raise."""
        entry = (time.monotonic() + seconds, next(self._numbers), then)
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._thread.start()
            heapq.heappush(self._waiting, entry)
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                if entry in self._waiting:
                    self._waiting.remove(entry)
                    heapq.heapify(self._waiting)

    def _watch(self) -> None:
        while True:
            with self._changed:
                now = time.monotonic()
                if self._waiting and self._waiting[0][0] <= now:
                    # Under the lock: who leaves the block waits for it, and its connection does not end a later statement.
                    heapq.heappop(self._waiting)[2]()
                    continue
                left = self._waiting[0][0] - now if self._waiting else _LONGEST_WAIT
                self._changed.wait(min(left, _LONGEST_WAIT))

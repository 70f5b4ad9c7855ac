"""How long each step of the stream took, in seconds of wall time, summed over batches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Timings(dict[str, float]):
    """Seconds by step. Steps of two threads overlap, so the sum may be more than the time that passed.

    Examples
    --------
    >>> timings = Timings()
    >>> with timings.of("commit"):
    ...     pass
    >>> list(timings)
    ['commit']
    """

    @contextmanager
    def of(self, step: str) -> Iterator[None]:
        """Add the time spent inside to a step."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self[step] = self.get(step, 0.0) + time.perf_counter() - began

"""The watch over the fetch: a position that stands still while the log goes on.

A consumer whose fetch has silently stopped looks like one with nothing to read. The broker's own ends tell them apart.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_Key = tuple[str, int]


class FetchWatch:
    """Remembers since when each partition stands where it stands.

    Parameters
    ----------
    seconds : float
        How long a partition may stand still with messages ahead before it counts as stalled.
    clock : callable
        Monotonic, in seconds.

    Examples
    --------
    >>> now = 0.0
    >>> watch = FetchWatch(60, clock=lambda: now)
    >>> watch.stalled({("spans", 0): (5, 9), ("spans", 1): (7, 7)})
    {}
    >>> now = 60.0
    >>> watch.stalled({("spans", 0): (5, 12), ("spans", 1): (7, 7)})
    {('spans', 0): 60.0}
    >>> watch.stalled({("spans", 0): (6, 12)})
    {}
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self._clock = seconds, clock
        self._since: dict[_Key, tuple[int, float]] = {}

    def stalled(self, lag: dict[_Key, tuple[int, int]]) -> dict[_Key, float]:
        """Return the partitions that stand still, with the seconds for which they do.

        Parameters
        ----------
        lag : dict
            (position, end) by (topic, partition) of what is read now.
        """
        now = self._clock()
        since: dict[_Key, tuple[int, float]] = {}
        for key, (position, end) in lag.items():
            before = self._since.get(key)
            standing = before is not None and before[0] == position and end > position
            since[key] = (position, before[1] if before is not None and standing else now)
        self._since = since
        return {key: now - began for key, (_, began) in since.items() if now - began >= self.seconds}

    def forget(self) -> None:
        """Begin to count afresh: the fetch was begun again."""
        self._since.clear()

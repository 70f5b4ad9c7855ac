"""The lake's newest snapshot, without asking the catalog when nothing has been written to it.

To ask costs some 3 ms of processor time, and every answer begins with it; to look at the catalog's files costs 0.01. SQLite
writes each commit into the write-ahead log before anybody can see it, so files that are as they were before the last question
hold no later commit. One that was about to be seen at that moment is the exception: a question within `_SETTLED_NS` of the
last write is asked again, and every answer after `_TRUSTED_SECONDS`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

# A file's time is that of the kernel's last tick, some milliseconds ago.
_SETTLED_NS = 50_000_000
_TRUSTED_SECONDS = 1.0

_Stamp = tuple[tuple[int, int, int], ...]


class Newest:
    """Number of the newest snapshot of one catalog.

    Parameters
    ----------
    catalog : Path
        The SQLite file.
    """

    def __init__(self, catalog: Path) -> None:
        self._files = (catalog, catalog.with_name(f"{catalog.name}-wal"))
        self._last: tuple[_Stamp, float, int] | None = None

    def snapshot(self, ask: Callable[[], int]) -> int:
        """The number as `ask` finds it in the catalog, or as it last did."""
        now, stamp = time.time_ns(), self._stamp()
        last = self._last
        if last is not None and last[0] == stamp and time.monotonic() <= last[1] + _TRUSTED_SECONDS:
            return last[2]
        asked_at = time.monotonic()
        number = ask()
        is_settled = max((changed for changed, *_ in stamp), default=now) <= now - _SETTLED_NS
        self._last = (stamp, asked_at, number) if is_settled else None
        return number

    def forget(self) -> None:
        """Ask the next time."""
        self._last = None

    def _stamp(self) -> _Stamp:
        found = []
        for file in self._files:
            try:
                of = file.stat()
            except FileNotFoundError:  # without a reader or writer there is no log
                continue
            found.append((of.st_mtime_ns, of.st_size, of.st_ino))
        return tuple(found)

"""Writers of one warehouse take turns: an advisory lock on a small file beside the catalog.

Why: SQLite refuses the commit of a transaction that began to read before another writer's commit, however long the busy
timeout. Measured: a transaction of 2 s beside a writer that commits every 0.3 s failed seven times out of seven, until the
writer ended. With turns, it waits, then commits at its first try. The catalog file itself is never locked or opened here:
closing a second handle on it would drop SQLite's own locks. Readers take no turn.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from warehouse.errors import WarehouseBusyError

# Between two looks at the lock. Work that takes turn after turn pauses longer than this in between, so others get theirs.
LOOK_S = 0.005
PAUSE_S = 0.05


@contextmanager
def turn(file: Path, *, wait_s: float) -> Iterator[None]:
    """Hold `file`'s lock; the system frees it if the process dies.

    Raises
    ------
    WarehouseBusyError
        If another process held it for `wait_s` seconds.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_s
    with file.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise WarehouseBusyError(
                        f"another process has been writing for {wait_s:g} s", str(file), "wait for it, or stop it"
                    ) from None
                time.sleep(LOOK_S)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)

"""Writers of one warehouse take turns: an advisory lock on a small file beside the catalog.

Why: SQLite refuses the commit of a transaction that began to read before another writer's commit, however long the busy
timeout. Measured: a transaction of 2 s beside a writer that commits every 0.3 s failed seven times out of seven, until the
writer ended. With turns, it waits, then commits at its first try. The catalog file itself is never locked or opened here:
closing a second handle on it would drop SQLite's own locks. Readers take no turn.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from warehouse.errors import WarehouseBusyError, WarehouseError, WarehouseFullError, is_full

_LOOK_S = 0.005  # between two looks at a lock that another process holds


@contextmanager
def turn(file: Path, *, wait_s: float, give_up_at: Callable[[], float] = lambda: float("inf")) -> Iterator[None]:
    """Hold `file`'s lock; the system frees it if the process dies.

    Two locks, so that a process that writes without a pause can't keep another from its turn: who waits holds the place
    of the next one, and the writer that comes round again queues behind it.

    Parameters
    ----------
    file : Path
        The lock file; made where it is missing.
    wait_s : float
        How long to wait, in seconds.
    give_up_at : callable
        An earlier end of the wait, on the monotonic clock; asked again and again, for it may be moved meanwhile.

    Raises
    ------
    WarehouseBusyError
        If the turn did not come in time.
    WarehouseError
        If the lock file can't be made; WarehouseFullError where the disk is full.
    """
    deadline = time.monotonic() + wait_s
    with ExitStack() as held:
        with _opened(file.with_suffix(".next")) as place:
            _lock(place, file, lambda: min(deadline, give_up_at()))
            handle = held.enter_context(_opened(file))
            _lock(handle, file, lambda: min(deadline, give_up_at()))
        yield


def _opened(file: Path) -> IO[str]:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("a")
    except OSError as error:
        if is_full(error):
            raise WarehouseFullError("the disk is full", str(file), "free some space and start again") from error
        raise WarehouseError(
            "can't write beside the catalog", str(file), error.strerror or "check its rights"
        ) from error


def _lock(handle: IO[str], file: Path, deadline: Callable[[], float]) -> None:
    """Lock `handle` until it is closed."""
    began = time.monotonic()
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            now = time.monotonic()
            if now > deadline():
                raise WarehouseBusyError(
                    f"another process has been writing for {now - began:.0f} s", str(file), "wait for it, or stop it"
                ) from None
        time.sleep(_LOOK_S)

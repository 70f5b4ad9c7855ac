"""A time limit for a whole exchange: a library limits each wait, and a receiver that sends a byte now and then never ends."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class Deadline:
    """Cuts the connection in use when the time for the block is over; whoever waits on it then sees it closed.

    Parameters
    ----------
    seconds : float
        Time for all of it, in seconds.
    in_use : callable
        Returns the socket in use at that moment, or None.

    Attributes
    ----------
    expired : bool
        Whether it was cut.
    """

    def __init__(self, seconds: float, in_use: Callable[[], socket.socket | None]) -> None:
        self.expired = False
        self._in_use = in_use
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _expire(self) -> None:
        self.expired = True
        used = self._in_use()
        if used is not None:
            with contextlib.suppress(OSError):
                used.shutdown(socket.SHUT_RDWR)

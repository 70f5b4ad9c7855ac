"""Patience with what a worker depends on: a broker that restarts, a catalog that another process holds.

A step that fails for such a reason had no effect, so it is tried again, and the operator hears of it twice: when it begins
and when it is over. After a bounded time the error ends the worker: whoever supervises it decides then.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from pipelines.errors import TransientError
from warehouse import WarehouseBusyError

T = TypeVar("T")

#: What is worth another try.
OUTAGES = (TransientError, WarehouseBusyError)
#: The first wait between two tries and the longest, in seconds: doubled each time.
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0
#: How often a waiting worker looks whether it is to stop, in seconds.
_LOOK = 0.1


class Patience:
    """Tries steps again through an outage.

    Parameters
    ----------
    seconds : float
        How long one outage may last.
    tell : callable
        Gets one line when an outage begins and one when it is over.
    stopping : callable
        Whether the worker is to stop: then the next failure is the last.
    waiting : callable
        Gets true when an outage begins, and false when it is over.
    """

    def __init__(
        self,
        seconds: float,
        tell: Callable[[str], None],
        stopping: Callable[[], bool],
        waiting: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._seconds, self._tell, self.stopping, self._waiting = seconds, tell, stopping, waiting

    def through(self, step: Callable[[], T]) -> T:
        """Return what the step returns, tried until it does.

        Raises
        ------
        TransientError, WarehouseBusyError
            The outage outlasted this patience, or the worker is to stop.
        """
        began: float | None = None
        wait = _FIRST_WAIT
        while True:
            try:
                result = step()
            except OUTAGES as error:
                now = time.monotonic()
                if self.stopping() or (began is not None and now - began >= self._seconds) or self._seconds <= 0:
                    raise
                if began is None:
                    began = now
                    self._waiting(True)
                    self._tell(f"{error}; trying again for up to {self._seconds:g} s")
            else:
                if began is not None:
                    self._waiting(False)
                    self._tell(f"went on after an outage of {time.monotonic() - began:.1f} s")
                return result
            until = time.monotonic() + wait
            while time.monotonic() < until and not self.stopping():
                time.sleep(_LOOK)
            wait = min(2 * wait, _LONGEST_WAIT)

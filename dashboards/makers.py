"""Who makes pages, and who goes first."""

from __future__ import annotations

import threading

# Pages that are made at once. One interpreter makes them one after the other anyway; answers that are kept go before.
_MAKERS = 2


class Makers:
    """Who makes pages, `_MAKERS` at once: those that somebody waits for go before those that nobody has asked for yet."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(_MAKERS)
        self._asked = threading.Condition()
        self._people = 0

    def __enter__(self) -> None:
        """Take a place, when there is one."""
        with self._asked:
            self._people += 1
        self._places.acquire()

    def __exit__(self, *_: object) -> None:
        """Leave it to another."""
        self._places.release()
        with self._asked:
            self._people -= 1
            self._asked.notify_all()

    def wait_for_nobody(self, seconds: float) -> bool:
        """Wait until nobody makes a page or waits for one, for so many seconds at most; whether that is so."""
        with self._asked:
            return self._asked.wait_for(lambda: not self._people, seconds)

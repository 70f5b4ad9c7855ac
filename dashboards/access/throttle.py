"""How often a password may be tried: after some wrong ones, each further one has to wait twice as long.

Counted per account and address, per address, and per account; the last with a long rope, so that a stranger can slow an account's
person down but hardly lock it out. Kept in memory, for a bounded number of names.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

# Wrong ones that are free, by what they are counted for.
_FREE = {"both": 4, "address": 20, "account": 50}
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 900.0
# So long after the last wrong one it is forgotten, in seconds.
_FORGOTTEN = 3600.0
_MOST_KEPT = 20_000

Key = tuple[str, str, str]


class Throttle:
    """Wrong passwords, and until when nobody may try again.

    Parameters
    ----------
    now : callable
        Seconds that only rise.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._wrong: OrderedDict[Key, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, account: str, address: str) -> float:
        """How many seconds until a password of `account` may be tried from `address`; 0 is now.

        Examples
        --------
        >>> throttle = Throttle(now=lambda: 100.0)
        >>> for _ in range(6):
        ...     throttle.failed("ada", "192.0.2.1")
        >>> throttle.wait("ada", "192.0.2.1"), throttle.wait("ada", "192.0.2.2")
        (2.0, 0.0)
        """
        now = self._now()
        with self._lock:
            return max(self._wait(key, now) for key in _keys(account, address))

    def failed(self, account: str, address: str) -> None:
        """Note a wrong password."""
        now = self._now()
        with self._lock:
            for key in _keys(account, address):
                times, last = self._wrong.pop(key, (0, now))
                self._wrong[key] = (times + 1 if now - last < _FORGOTTEN else 1, now)
            while len(self._wrong) > _MOST_KEPT:
                self._wrong.popitem(last=False)

    def passed(self, account: str, address: str) -> None:
        """Forget the account's wrong ones, and this last try of the address: its tries at other accounts stay counted."""
        both, of_address, of_account = _keys(account, address)
        with self._lock:
            self._wrong.pop(both, None)
            self._wrong.pop(of_account, None)
            times, last = self._wrong.pop(of_address, (0, 0.0))
            if times > 1:
                self._wrong[of_address] = (times - 1, last)

    def _wait(self, key: Key, now: float) -> float:
        times, last = self._wrong.get(key, (0, now))
        beyond = times - _FREE[key[0]]
        if beyond <= 0 or now - last >= _FORGOTTEN:
            return 0.0
        # The exponent is bounded too: a float has no 2**5000.
        return max(0.0, last + min(_FIRST_WAIT * 2 ** min(beyond - 1, 20), _LONGEST_WAIT) - now)


def _keys(account: str, address: str) -> list[Key]:
    account, address = account[:64], address[:64]
    return [("both", account, address), ("address", "", address), ("account", account, "")]

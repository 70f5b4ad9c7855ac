"""The lease on detection: of all workers of a home, exactly one runs the detectors.

An advisory lock on a small file in the home. The kernel frees it when its holder's process ends, however it ends, so a dead
worker never keeps it, and a stopped one (SIGSTOP) never loses it behind its own back: there is nothing to time out, and no
moment at which two hold it.
"""

from __future__ import annotations

import fcntl
import time
from pathlib import Path
from typing import IO

from pipelines.errors import TerminalError

#: Between two tries for a lease that another worker holds, in seconds.
TRY_SECONDS = 2.0


class Lease:
    """One worker's claim to a role of the home.

    Parameters
    ----------
    path : Path
        The lock file; made where it is missing, never removed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: IO[str] | None = None
        self._tried_at = float("-inf")

    @property
    def held(self) -> bool:
        """Whether this worker holds it."""
        return self._handle is not None

    def take(self) -> bool:
        """Try for the lease unless it was tried a moment ago; return whether it has just been taken.

        Raises
        ------
        TerminalError
            The file can't be made.
        """
        now = time.monotonic()
        if self.held or now - self._tried_at < TRY_SECONDS:
            return False
        self._tried_at = now
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = self._path.open("a")
        except OSError as error:
            raise TerminalError("can't write in the home", str(self._path), error.strerror or "") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.close()
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Leave the role to whoever tries next."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None
            self._tried_at = time.monotonic()

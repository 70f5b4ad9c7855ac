"""Keep the catalog's log while a process works on it, so that no transaction is the last one to leave.

DuckDB opens a connection of SQLite for each transaction. One that is closed while there is no other copies the log into the
catalog and deletes it, under an exclusive lock; who opens the catalog meanwhile finds it locked, or has to make the index of
the log anew, which one can do at a time. The SQLite in DuckDB's extension waits in whole seconds then. Measured over 50 s of
a stream with 20 viewers of its dashboard: 120 of 270 transactions deleted the log, 100 of 487 statements of the dashboard made
its index anew, and 18 statements and commits slept for a second.

So a process that lives long holds what an open connection of SQLite holds: the shared lock of the catalog, and that of the log's
index. Nobody waits for these: readers and writers share them, and checkpoints go on. They are locks of open file descriptions,
which stand beside those that SQLite has in the same process.

It also shares the pending byte, as whoever opens the catalog does for a moment. A connection that is closed takes it for itself
before it finds that it is not the last, and who opens the catalog in that millisecond sleeps for a second: so it went in half of
the refreshes that build two marts at once. While the byte is shared, who closes is told so at once.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import duckdb

# Bytes that SQLite locks (its os.h, os_unix.c), first and number: of the catalog the pending byte, and 510 behind the reserved
# one that follows it; of the index the dead man's switch.
Bytes: TypeAlias = tuple[tuple[int, int], ...]
_OF_CATALOG: Bytes = ((1 << 30, 1), ((1 << 30) + 2, 510))
_OF_INDEX: Bytes = ((128, 1),)
_TRIES, _PAUSE_S = 200, 0.005  # while somebody who closes the catalog has the pending byte

# Where the file's header says that readers and writers use a log, and how.
_FORMAT_AT, _WITH_LOG = 18, b"\x02\x02"

_LATEST = "SELECT id FROM ducklake_current_snapshot('lake')"

# Files by device and inode: the descriptor, and how often it is held. They are never closed: that would drop every lock that
# SQLite holds on the file in this process.
_files: dict[tuple[int, int], list[int]] = {}
_turn = threading.Lock()


class HeldLog:
    """The log of one catalog, kept from `hold` to `release`; without effect where the system has no such locks."""

    def __init__(self, catalog: Path) -> None:
        self._catalog = catalog
        self._index = catalog.with_name(f"{catalog.name}-shm")
        self._held: list[tuple[tuple[int, int], Bytes]] = []

    @property
    def is_held(self) -> bool:
        """Whether the log is kept."""
        return bool(self._held)

    def hold(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Keep the log from now on; a catalog without one is left alone, for whoever gives it one needs it for himself.

        Parameters
        ----------
        connection : duckdb.DuckDBPyConnection
            With the lake attached, and in no transaction.
        """
        if self._held or sys.platform != "linux":
            return
        connection.execute("BEGIN TRANSACTION")
        try:
            # From here to the transaction's end SQLite holds both locks itself: nobody deletes the files, and the index is good.
            connection.execute(_LATEST).fetchall()
            with suppress(OSError):  # a file system without such locks: everything works, with the waits told of above
                self._take()
        finally:
            connection.execute("ROLLBACK")

    def release(self) -> None:
        """Let the next transaction delete the log, if it is the last to leave."""
        with _turn:
            for key, bytes_ in self._held:
                file = _files[key]
                file[1] -= 1
                if not file[1]:
                    _unlock(file[0], bytes_)
        self._held = []

    def _take(self) -> None:
        for path, bytes_ in ((self._catalog, _OF_CATALOG), (self._index, _OF_INDEX)):
            with _turn:
                key, file = _opened(path)
                if path == self._catalog and os.pread(file[0], len(_WITH_LOG), _FORMAT_AT) != _WITH_LOG:
                    return
                if not file[1]:
                    _share(file[0], bytes_)
                file[1] += 1
            self._held.append((key, bytes_))


def _opened(path: Path) -> tuple[tuple[int, int], list[int]]:
    of = path.stat()
    key = (of.st_dev, of.st_ino)
    if key not in _files:
        _files[key] = [os.open(path, os.O_RDONLY), 0]
    return key, _files[key]


def _share(descriptor: int, bytes_: Bytes) -> None:
    try:
        for part in bytes_:
            _lock(descriptor, fcntl.F_RDLCK, part)
    except OSError:
        _unlock(descriptor, bytes_)
        raise


def _unlock(descriptor: int, bytes_: Bytes) -> None:
    for part in bytes_:
        _lock(descriptor, fcntl.F_UNLCK, part)


def _lock(descriptor: int, kind: int, bytes_: tuple[int, int]) -> None:
    # struct flock: kind, whence, first byte, number of bytes, process (0 for such locks).
    asked = struct.pack("@hhqqi4x", kind, os.SEEK_SET, *bytes_, 0)
    for left in reversed(range(_TRIES)):
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, asked)
            return
        except BlockingIOError:
            if not left:
                raise
            time.sleep(_PAUSE_S)

"""The errors of the warehouse: one line each, saying what went wrong, where, and what to do."""

from __future__ import annotations

import errno
import shutil
from contextlib import suppress
from pathlib import Path

import duckdb

# What SQLite and DuckLake say when another writer was first. The transaction is then gone whole (nothing partial is
# committed), so it is safe to run it again from its start.
_CONTENTION = ("database is locked", "database table is locked", "conflict", "failed to commit ducklake transaction")
# What SQLite says when the disk (or the file's quota) has no room, and what DuckDB does: the system's own words, which
# it also wraps into "failed to commit", so they are looked for first.
_FULL = ("no space left on device", "database or disk is full", "file too large", "disk quota exceeded")

# With less than this free, an error that does not say why is one of room.
_LITTLE_BYTES = 1 << 20


class WarehouseError(Exception):
    """Base of every error the warehouse raises on purpose.

    Parameters
    ----------
    what : str
        What went wrong, in a few words.
    where : str
        The place: a directory, a table, a statement.
    todo : str
        What the reader should do next.
    """

    def __init__(self, what: str, where: str = "", todo: str = "") -> None:
        self.what, self.where, self.todo = what, where, todo
        line = what + (f" ({where})" if where else "") + (f": {todo}" if todo else "")
        super().__init__(" ".join(line.split()))


class WarehouseBusyError(WarehouseError):
    """Another process held the catalog through every retry: nothing was written, trying again later is safe."""


class WarehouseFullError(WarehouseError):
    """The disk is full: nothing of the transaction was written, and it can be made again when there is room."""


class ResultTooLargeError(WarehouseError):
    """A result is beyond what one statement may answer: nothing was changed, and a narrower question may succeed."""


class StatementRefusedError(WarehouseError):
    """A statement that is not one plain SELECT was given to the reader: nothing was run."""


def is_full(error: BaseException) -> bool:
    """Whether `error` says that there is no room on the disk."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    return isinstance(error, duckdb.Error) and any(sign in str(error).lower() for sign in _FULL)


def is_full_at(said: str, directory: Path) -> bool:
    """Whether SQLite's "disk I/O error" means that there is no room: so it says where its shared memory, 32 KiB, does not fit."""
    with suppress(OSError):
        return "disk i/o error" in said.lower() and shutil.disk_usage(directory).free < _LITTLE_BYTES
    return False


def is_contention(error: BaseException) -> bool:
    """Whether `error` says that another writer was first, so that the same transaction may succeed when run again."""
    return isinstance(error, duckdb.Error) and any(sign in str(error).lower() for sign in _CONTENTION)

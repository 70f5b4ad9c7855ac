"""Copy a file so that it is there whole or not at all, on disk, and is what it was: read back and compared by SHA-256."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from warehouse.errors import WarehouseError, WarehouseFullError, is_full
from warehouse.upkeep.manifest import UNFINISHED, Kept


def digest(file: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def copy(source: Path, target: Path) -> Kept:
    """Copy a file; what `target` holds afterwards, with the path empty.

    Raises
    ------
    WarehouseError
        It can't be read or written, or the copy is not what was read; WarehouseFullError where there is no room.
    """
    beside = target.with_name(target.name + UNFINISHED)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open("rb") as read, beside.open("wb") as write:
            shutil.copyfileobj(read, write, 1 << 20)
            write.flush()
            os.fsync(write.fileno())
            size = write.tell()
        found, wanted = digest(beside), digest(source)
        if found != wanted:
            raise WarehouseError("a copy is not what was read", str(target), "look after the disk, and try again")
        beside.replace(target)
    except OSError as error:
        raise failed(error, target) from error
    return Kept("", size, found)


def failed(error: OSError, where: Path) -> WarehouseError:
    """The error of the warehouse that a system's error is."""
    if is_full(error):
        return WarehouseFullError(
            "the disk is full", str(where), "free some space and try again: what was whole still is"
        )
    return WarehouseError(f"can't be read or written ({error.strerror})", str(where), "check the disk and its rights")


def sync(directory: Path) -> None:
    """Have the names in a directory on disk."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Touch a catalog while others write to it, by SQLite itself and in a process of its own: copy it, or take lost files out of it.

A process that holds the catalog open must not open it a second time: closing that second handle would drop SQLite's own locks
(POSIX locks belong to the process). So this file is started as a child, which needs the standard library alone.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

_SECONDS = 60.0
_CHECK = "PRAGMA quick_check(1)"
_FORGET = Path(__file__).parents[1] / "queries" / "forget_files.sql"


def copy_catalog(catalog: Path, target: Path) -> None:
    """Copy `catalog` to `target`: one file without a log beside it, whole as of one moment, and checked by SQLite.

    Raises
    ------
    WarehouseError
        There is none, or it is damaged; WarehouseBusyError and WarehouseFullError where that is why.
    """
    try:
        _child("copy", catalog, str(target.absolute()))
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def forget_files(catalog: Path, paths: Iterable[str]) -> None:
    """Take files out of `catalog`, in one transaction: no snapshot refers to them afterwards. To be called in a writer's turn.

    Parameters
    ----------
    paths : iterable of str
        Below the data directory.

    Raises
    ------
    WarehouseError
        As :func:`copy_catalog` does; nothing was changed then.
    """
    _child("forget", catalog, json.dumps(list(paths)))


def _child(task: str, catalog: Path, argument: str) -> None:
    from warehouse.errors import WarehouseBusyError, WarehouseError, WarehouseFullError, is_full_at

    if not catalog.is_file():
        raise WarehouseError("there is no catalog", str(catalog), "check --home, or `plumbline restore` a backup")
    done = subprocess.run(
        [sys.executable, "-I", __file__, task, str(catalog.absolute())],
        input=argument,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        return
    said = (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1][:200]
    if "full" in said or "No space left" in said or "too large" in said or is_full_at(said, catalog.parent):
        raise WarehouseFullError("the disk is full", str(catalog), "nothing was changed: free some space and try again")
    if "locked" in said or "busy" in said:
        raise WarehouseBusyError("the catalog stayed locked", str(catalog), "look for a process that holds it")
    raise WarehouseError(
        f"the catalog can't be read ({said})", str(catalog), "move the warehouse away and `plumbline restore` a backup"
    )


def _copy(source: str, target: str) -> None:
    read = sqlite3.connect(source, timeout=_SECONDS)
    Path(target).unlink(missing_ok=True)
    write = sqlite3.connect(target, isolation_level=None)
    read.backup(write)
    read.close()
    write.execute("PRAGMA journal_mode = DELETE")
    verdict = write.execute(_CHECK).fetchone()[0]
    write.close()
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"damaged: {verdict}")


def _forget(catalog: str, paths: list[str]) -> None:
    connection = sqlite3.connect(catalog, timeout=_SECONDS, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TEMP TABLE lost (path TEXT PRIMARY KEY)")
    connection.executemany("INSERT INTO lost VALUES (?)", [(path,) for path in paths])
    for statement in _FORGET.read_text(encoding="utf-8").split(";\n"):
        connection.execute(statement)
    # Rows that were deleted one by one are noted in a table per table.
    deletions = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'ducklake\\_inlined\\_delete\\_%' ESCAPE '\\'"
    for (name,) in connection.execute(deletions).fetchall():
        lost = "(SELECT file_id FROM forgotten WHERE kind = 'data')"
        connection.execute(f'DELETE FROM "{name}" WHERE file_id IN {lost}')  # noqa: S608 - a table's name
    connection.execute("COMMIT")
    connection.close()


if __name__ == "__main__":
    try:
        told = sys.stdin.read()
        if sys.argv[1] == "copy":
            _copy(sys.argv[2], told)
        else:
            _forget(sys.argv[2], json.loads(told))
    except (sqlite3.Error, OSError) as error:
        sys.exit(f"{type(error).__name__}: {error}")

"""Back a warehouse up while the stream writes to it, and check what backups hold.

In this order, so that a death after any step leaves every earlier backup whole and this one either whole or absent:

1. hold the lock on the lake's files: nothing that the catalog refers to is deleted meanwhile;
2. copy what lies beside the warehouse (the detectors' checkpoint), then the catalog, whole as of one moment: a checkpoint that
   is older than the catalog costs the detectors a moment, a younger one would be of no use;
3. copy the Parquet files that the catalog refers to and earlier backups lack; check those that they have;
4. read the copy: rows by table, offsets;
5. write the manifest, and give the backup its name;
6. remove backups beyond those to keep, and the files that none of the others needs.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from warehouse.compaction import FILES_LOCK
from warehouse.connection import CATALOG_FILE, DATA_DIRECTORY, Limits, connect
from warehouse.errors import WarehouseBusyError, WarehouseError
from warehouse.turns import turn
from warehouse.upkeep import manifest
from warehouse.upkeep.catalog import copy_catalog
from warehouse.upkeep.copying import copy, digest, failed, sync
from warehouse.upkeep.files import LakeFile, lake_files
from warehouse.upkeep.manifest import FILE, FOLDER, UNFINISHED, Kept, Manifest

#: How long to wait for a clean-up that is under way, in seconds.
_WAIT_S = 120.0
_TABLES = "SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake' ORDER BY table_name"
_OFFSETS = 'SELECT topic, "partition", next_offset FROM consumed_offsets ORDER BY ALL'


def back_up(
    path: Path,
    into: Path,
    *,
    beside: Mapping[str, Path] | None = None,
    keep: int | None = None,
    now: datetime | None = None,
) -> Manifest:
    """Back up the warehouse in directory `path` into directory `into`.

    Parameters
    ----------
    beside : mapping of str to Path, optional
        Other files to keep with it, by the path that they have below the home; those that are not there are left out.
    keep : int, optional
        Backups to keep, this one included; None keeps all.
    now : datetime, optional
        The clock, with a zone; None takes the system's.

    Raises
    ------
    WarehouseError
        A file that the catalog refers to is missing or damaged, all of them counted and the first named; or `into` lies in the
        warehouse. WarehouseBusyError where another backup or a clean-up is under way, WarehouseFullError without room.
    """
    path, into = path.absolute(), into.absolute()
    if not (path / CATALOG_FILE).is_file():
        raise WarehouseError("there is no catalog", str(path), "check --home: nothing was stored there")
    if into.is_relative_to(path):
        raise WarehouseError("a backup inside of what it backs up", str(into), "name a directory on another disk")
    try:
        with turn(path / FILES_LOCK, wait_s=_WAIT_S), held(into):
            made = _make(path, into, beside or {}, manifest.name_of(now or datetime.now(UTC)))
            remove_beyond(into, keep)
            return made
    except OSError as error:
        raise failed(error, into) from error


def _make(path: Path, into: Path, beside: Mapping[str, Path], name: str) -> Manifest:
    unfinished = into / FOLDER / f"{name}{UNFINISHED}"
    unfinished.mkdir(parents=True)
    others = tuple(
        _named(copy(file, unfinished / "beside" / place), place) for place, file in beside.items() if file.is_file()
    )
    catalog = unfinished / CATALOG_FILE
    copy_catalog(path / CATALOG_FILE, catalog)
    files = _copy_files(lake_files(catalog), path / DATA_DIRECTORY, into)
    snapshot, rows, offsets = look_into(into, catalog)
    whole = Manifest(
        name=name,
        snapshot=snapshot,
        rows=rows,
        offsets=offsets,
        catalog=Kept(CATALOG_FILE, catalog.stat().st_size, digest(catalog)),
        files=files,
        beside=others,
    )
    _write(unfinished, whole)
    _finish(unfinished, unfinished.with_name(name))
    return whole


def _copy_files(files: list[LakeFile], data: Path, into: Path) -> tuple[Kept, ...]:
    faults = [(file, fault) for file in files if (fault := file.fault(data))]
    if faults:
        first, fault = faults[0]
        raise WarehouseError(
            f"{len(faults)} of {len(files)} files can't be backed up",
            f"first {first.path}: {fault}; {first.rows:,} rows of {first.table}",
            "`plumbline doctor --repair` says what can be done about it",
        )
    known = {file.path: file.sha256 for name in manifest.names(into) for file in manifest.read(into, name).files}
    found: list[Kept] = []
    for file in files:
        target = into / DATA_DIRECTORY / file.path
        if file.path in known and target.is_file() and digest(target) == known[file.path]:
            kept = Kept("", target.stat().st_size, known[file.path])
        else:
            kept = copy(data / file.path, target)
        found.append(Kept(file.path, kept.bytes, kept.sha256, file.table, file.rows))
    return tuple(found)


def look_into(into: Path, catalog: Path) -> tuple[int, dict[str, int], list[list]]:
    """Snapshot, rows by table and consumed offsets of the lake that a catalog and the data directory of `into` are."""
    connection = connect(into, read_only=True, limits=Limits(), catalog=catalog)
    try:
        row = connection.execute("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')").fetchone()
        tables = [name for (name,) in connection.execute(_TABLES).fetchall()]
        rows = {table: _count(connection, table) for table in tables}
        return row[0] if row else 0, rows, [list(each) for each in connection.execute(_OFFSETS).fetchall()]
    finally:
        connection.close()
        shutil.rmtree(into / "tmp", ignore_errors=True)


def _count(connection, table: str) -> int:
    quoted = table.replace('"', '""')
    row = connection.execute(f'SELECT count(*) FROM lake.main."{quoted}"').fetchone()  # noqa: S608 - a table that is there
    return row[0] if row else 0


def _named(kept: Kept, path: str) -> Kept:
    return Kept(path, kept.bytes, kept.sha256)


def _write(unfinished: Path, whole: Manifest) -> None:
    with (unfinished / FILE).open("w", encoding="utf-8") as file:
        file.write(whole.text())
        file.flush()
        os.fsync(file.fileno())
    sync(unfinished)


def _finish(unfinished: Path, final: Path) -> None:
    unfinished.rename(final)
    sync(final.parent)


def remove_beyond(into: Path, keep: int | None) -> None:
    """Remove all backups but the latest `keep`, and the files that none of these needs."""
    there = manifest.names(into)
    for name in there[: max(0, len(there) - max(1, keep))] if keep is not None else []:
        gone = into / FOLDER / name
        gone.rename(gone.with_name(name + UNFINISHED))  # at once: what is left of it counts as no backup
    _clear(into)


def _clear(into: Path) -> None:
    """Remove what unfinished and removed backups have left."""
    for folder in (into / FOLDER).glob(f"*{UNFINISHED}"):
        shutil.rmtree(folder)
    needed = {file.path for name in manifest.names(into) for file in manifest.read(into, name).files}
    data = into / DATA_DIRECTORY
    for file in data.rglob("*"):
        if file.is_file() and file.relative_to(data).as_posix() not in needed:
            file.unlink()


def damaged(into: Path, kept: Manifest) -> Iterator[tuple[Kept, str]]:
    """Files of a backup that are not what they were when it was made, and what is wrong with each."""
    home = into / FOLDER / kept.name
    places = [(kept.catalog, home / kept.catalog.path)]
    places += [(file, into / DATA_DIRECTORY / file.path) for file in kept.files]
    places += [(file, home / "beside" / file.path) for file in kept.beside]
    for file, place in places:
        try:
            if digest(place) != file.sha256:
                yield file, "its SHA-256 is another"
        except OSError as error:
            yield file, (error.strerror or "unreadable").lower()


@contextmanager
def held(into: Path) -> Iterator[None]:
    """Hold a backup directory: one backup, or removal, at a time.

    Raises
    ------
    WarehouseError
        The directory holds something else: files would be removed from it.
    WarehouseBusyError
        Somebody else holds it.
    """
    into.mkdir(parents=True, exist_ok=True)
    lock = into / "backup.lock"
    if not lock.exists() and any(into.iterdir()):
        raise WarehouseError("not a backup directory, and not empty", str(into), "name a directory of its own")
    with lock.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WarehouseBusyError("another backup is under way", str(into), "wait for its end") from None
        yield

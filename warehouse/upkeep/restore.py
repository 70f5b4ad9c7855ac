"""Put a backup in place: every file checked by its SHA-256, the whole read, and only then given its name.

The warehouse is made beside its place and renamed into it as the last step: a death before leaves the place empty and the
backup as it was, and the restore can be made again. It never takes the place of a warehouse that is there.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from warehouse.connection import CATALOG_FILE, DATA_DIRECTORY
from warehouse.errors import WarehouseError, WarehouseFullError
from warehouse.upkeep import manifest
from warehouse.upkeep.backup import damaged, look_into
from warehouse.upkeep.copying import copy, failed, sync
from warehouse.upkeep.manifest import FOLDER, Manifest


def restore(
    into: Path,
    path: Path,
    name: str | None = None,
    *,
    beside: Mapping[str, Path] | None = None,
    without_damaged: bool = False,
) -> tuple[Manifest, list[str]]:
    """Restore a backup of directory `into` as the warehouse in directory `path`; the manifest, and the files left out.

    Parameters
    ----------
    name : str, optional
        Which backup; None takes the latest.
    beside : mapping of str to Path, optional
        Where its other files go, by their name in the backup; those not named are left out.
    without_damaged : bool
        Leave out Parquet files that are damaged: the rest is restored, and `plumbline doctor` names the rows that are missing.

    Raises
    ------
    WarehouseError
        There is a warehouse already; a file of the backup is damaged; what was restored does not say what the backup said.
        WarehouseFullError without room. Nothing was put in place.
    """
    kept = manifest.read(into, name)
    path = path.absolute()
    if path.exists() and any(path.iterdir()):
        raise WarehouseError("there is a warehouse already", str(path), "move it away, or give another --home")
    bad = dict(_check(into, kept, without_damaged))
    staging = path.with_name(path.name + ".restoring")
    try:
        _require_room(path, kept.bytes)
        shutil.rmtree(staging, ignore_errors=True)
        _fill(staging, into, kept, set(bad))
        _compare(staging, kept, exact=not bad)
        for place, target in (beside or {}).items():
            if any(file.path == place for file in kept.beside):
                copy(into / FOLDER / kept.name / "beside" / place, target)
        _put_in_place(staging, path)
    except OSError as error:
        raise failed(error, path) from error
    return kept, [f"{file}: {fault}" for file, fault in bad.items()]


def _check(into: Path, kept: Manifest, without_damaged: bool) -> list[tuple[str, str]]:
    bad = list(damaged(into, kept))
    files = {file.path for file in kept.files}
    if bad and not (without_damaged and all(file.path in files for file, _ in bad)):
        first, fault = bad[0]
        rows = f"; {first.rows:,} rows of {first.table}" if first.table else ""
        todo = "take another backup (--list names them), or --without-damaged for what is left of this one"
        raise WarehouseError(
            f"{len(bad)} damaged files in backup {kept.name}", f"first {first.path}: {fault}{rows}", todo
        )
    return [(file.path, f"{fault}; {file.rows:,} rows of {file.table}") for file, fault in bad]


def _require_room(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(path.parent).free
    if free < size:
        what = f"the backup takes {size / 2**20:,.0f} MiB, and {free / 2**20:,.0f} MiB are free"
        raise WarehouseFullError(what, str(path.parent), "free some space, or give another --home")


def _fill(staging: Path, into: Path, kept: Manifest, without: set[str]) -> None:
    for file in kept.files:
        if file.path not in without:
            copied = copy(into / DATA_DIRECTORY / file.path, staging / DATA_DIRECTORY / file.path)
            _require_same(copied.sha256, file.sha256, file.path)
    (staging / DATA_DIRECTORY).mkdir(parents=True, exist_ok=True)
    copied = copy(into / FOLDER / kept.name / CATALOG_FILE, staging / CATALOG_FILE)
    _require_same(copied.sha256, kept.catalog.sha256, CATALOG_FILE)
    for directory in (staging, *(each for each in staging.rglob("*") if each.is_dir())):
        sync(directory)


def _require_same(found: str, wanted: str, path: str) -> None:
    if found != wanted:
        raise WarehouseError(
            "a file of the backup changed while it was read", path, "restore again when nobody writes it"
        )


def _compare(staging: Path, kept: Manifest, *, exact: bool) -> None:
    """Read what was restored; it must say what the backup said of itself."""
    if not exact:
        return
    snapshot, rows, offsets = look_into(staging, staging / CATALOG_FILE)
    if (snapshot, rows, offsets) != (kept.snapshot, kept.rows, kept.offsets):
        other = sorted(table for table in rows.keys() | kept.rows.keys() if rows.get(table) != kept.rows.get(table))
        raise WarehouseError(
            "what was restored is not what was backed up", f"tables {', '.join(other) or 'none'}", "take another backup"
        )


def _put_in_place(staging: Path, path: Path) -> None:
    if path.is_dir():
        path.rmdir()  # an empty one
    staging.rename(path)
    sync(path.parent)

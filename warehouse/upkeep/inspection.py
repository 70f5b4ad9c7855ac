"""Compare the catalog with what is on disk: what is missing, damaged or unknown, named to the rows. Changes nothing."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as parquet

from warehouse.connection import CATALOG_FILE, DATA_DIRECTORY
from warehouse.queries import sql
from warehouse.upkeep import mark
from warehouse.upkeep.catalog import copy_catalog
from warehouse.upkeep.files import LakeFile, lake_files, rows_of

#: A writer's files are unknown until it commits, which takes seconds; those younger than this are left alone, in seconds.
YOUNG_S = 3600.0
#: Where repair puts files that the catalog does not know, and those that are damaged: below the warehouse.
ASIDE, DAMAGED = "aside", "damaged"
_LATEST = "SELECT max(snapshot_id), max(snapshot_time) FROM ducklake_snapshot"  # texts of one form: they sort by time


@dataclass(frozen=True, slots=True)
class Faulty:
    """A file that the catalog refers to and that is not what it should be: what is wrong, and what is known of its rows."""

    file: LakeFile
    fault: str
    ranges: dict[str, tuple[str, str]]

    @property
    def rows(self) -> str:
        """Its rows, in words: table, number, time, and the messages that they came in."""
        file = self.file
        if file.is_deletions:
            return f"the deletion of {file.rows:,} rows of {file.table}"
        words = [f"{file.rows:,} {'row' if file.rows == 1 else 'rows'} of {file.table}"]
        for column in ("started_at", "at"):
            if column in self.ranges:
                words.append("of {} to {}".format(*self.ranges[column]))
        if {"topic", "partition", "offset"} <= self.ranges.keys():
            topics, partitions, offsets = (
                " to ".join(dict.fromkeys(self.ranges[each])) for each in ("topic", "partition", "offset")
            )
            words.append(f"from {topics}[{partitions}]@{offsets}")
        return ", ".join(words) + ("" if file.is_current else "; only earlier snapshots read them")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A file on disk that no snapshot reads: below the data directory, or set aside."""

    path: str
    table: str
    bytes: int
    rows: int | None


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found.

    Attributes
    ----------
    snapshot : int
        The latest of the catalog; snapshot_at is when it was committed.
    noted : int
        The latest that is known to have been committed: greater where the catalog is an earlier one. -1: unknown.
    files : int
        Files that the catalog refers to.
    faulty : list of Faulty
        Those that are missing or damaged.
    unknown : list of Unknown
        Files that no snapshot reads and that no clean-up waits to delete, an hour old or more; of a catalog that is behind, all.
    aside : list of Unknown
        Files that a repair has set aside.
    """

    snapshot: int
    snapshot_at: str
    noted: int
    files: int
    faulty: list[Faulty] = field(default_factory=list)
    unknown: list[Unknown] = field(default_factory=list)
    aside: list[Unknown] = field(default_factory=list)

    @property
    def is_behind(self) -> bool:
        """Whether the catalog is an earlier one than its files."""
        return self.snapshot < self.noted


def inspect(path: Path) -> Inspection:
    """Look at every file of the warehouse in directory `path`, by its size and ends; rows are not read.

    Raises
    ------
    WarehouseError
        There is no catalog, or it is damaged.
    """
    path = path.absolute()
    data = path / DATA_DIRECTORY
    noted = mark.read(path)
    with tempfile.TemporaryDirectory(prefix="plumbline-") as folder:
        catalog = Path(folder) / CATALOG_FILE
        # What is on disk first: a file that is committed meanwhile is then in the catalog, and unknown to neither.
        there = {file.relative_to(data).as_posix(): file for file in data.rglob("*.parquet")}
        copy_catalog(path / CATALOG_FILE, catalog)
        files = lake_files(catalog)
        latest, at = rows_of(catalog, _LATEST)[0]
        known = {file.path for file in files} | {each for each, _ in rows_of(catalog, sql("scheduled_files"))}
        folders = dict(rows_of(catalog, sql("lake_tables")))
        faulty = [(file, fault) for file in files if (fault := file.fault(data))]
        ranges: dict[int, dict[str, tuple[str, str]]] = {}
        if faulty:
            for number, column, least, greatest in rows_of(catalog, sql("file_ranges")):
                ranges.setdefault(number, {})[column] = (str(least), str(greatest))
    age = 0.0 if latest < noted else YOUNG_S
    return Inspection(
        snapshot=latest,
        snapshot_at=str(at)[:19],
        noted=noted,
        files=len(files),
        faulty=[Faulty(file, fault, ranges.get(file.data_file_id, {})) for file, fault in faulty],
        unknown=list(_unknown({each: file for each, file in there.items() if each not in known}, folders, age)),
        aside=list(
            _unknown(
                {file.relative_to(path / ASIDE).as_posix(): file for file in (path / ASIDE).rglob("*.parquet")},
                folders,
                0.0,
            )
        ),
    )


def _unknown(found: dict[str, Path], folders: dict[str, str], age_s: float) -> Iterator[Unknown]:
    for each, file in sorted(found.items()):
        try:
            status = file.stat()
        except FileNotFoundError:  # cleaned up meanwhile
            continue
        if time.time() - status.st_mtime >= age_s:
            table = next((name for folder, name in folders.items() if each.startswith(folder)), "")
            yield Unknown(each, table, status.st_size, _rows(file))


def _rows(file: Path) -> int | None:
    """Rows of a Parquet file by its footer; None where it has none that can be read."""
    try:
        return parquet.read_metadata(file).num_rows
    except Exception:  # whatever an unfinished file makes of it: it is counted as one without rows
        return None

"""Which Parquet files the lake is made of, by its catalog; read from a copy, so that nothing waits."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from warehouse.errors import WarehouseError
from warehouse.queries import sql

#: A Parquet file begins and ends with it.
MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True)
class LakeFile:
    """A file that some kept snapshot reads.

    Attributes
    ----------
    path : str
        Below the data directory, with ``/``.
    table : str
        Whose rows it holds.
    bytes, rows : int
        As the catalog says; of a file of deletions, the rows deleted.
    is_deletions : bool
        Whether it lists deleted rows of another file, `data_file_id`.
    data_file_id : int
        The catalog's id of the file, or of that other one.
    is_current : bool
        Whether the latest snapshot reads it; else only time travel does.
    """

    path: str
    table: str
    bytes: int
    rows: int
    is_deletions: bool
    data_file_id: int
    is_current: bool

    def fault(self, data: Path) -> str:
        """What is wrong with it on disk, in a few words; '' where nothing is. Looks at its size and both ends."""
        file = data / self.path
        try:
            size = file.stat().st_size
            if size != self.bytes:
                return f"{size:,} of {self.bytes:,} bytes"
            with file.open("rb") as opened:
                head = opened.read(4)
                opened.seek(-4, 2)
                return "" if head == opened.read(4) == MAGIC else "no Parquet any more"
        except FileNotFoundError:
            return "not there"
        except OSError as error:
            return f"unreadable, {error.strerror}"


def lake_files(catalog: Path) -> list[LakeFile]:
    """The files of a catalog's copy, by path.

    Raises
    ------
    WarehouseError
        The catalog names a file outside the data directory, or is none of ours.
    """
    found = [
        LakeFile(safe(path, catalog) if relative else "", table, size, rows, kind == "deletes", number, bool(current))
        for kind, number, table, path, relative, size, rows, current in rows_of(catalog, sql("lake_files"))
    ]
    if elsewhere := [file for file in found if not file.path]:
        what = f"{len(elsewhere)} files of table {elsewhere[0].table} lie outside the data directory"
        raise WarehouseError(what, str(catalog), "they are not ours to keep: copy them into the lake first")
    return found


def rows_of(catalog: Path, statement: str) -> list[tuple]:
    """Rows of a statement on a copy of a catalog; never the live one, whose locks that could drop."""
    try:
        with closing(sqlite3.connect(f"{catalog.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(statement).fetchall()
    except sqlite3.Error as error:
        raise WarehouseError(f"the catalog can't be read ({error})", str(catalog), "restore a backup") from error


def safe(path: str, where: Path) -> str:
    """The path, if it stays below the directory that it is relative to.

    Raises
    ------
    WarehouseError
        It does not.
    """
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or "\\" in path:
        raise WarehouseError(f"a path that leads elsewhere: {path[:120]!r}", str(where), "it was changed by hand")
    return path

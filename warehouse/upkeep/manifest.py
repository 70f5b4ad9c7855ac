"""What a backup holds: every file with size and SHA-256, and what the warehouse said of itself. Written last.

A backup directory holds any number of backups: ``backups/NAME/manifest.json`` and the catalog of each, and ``data/``, the Parquet
files, which they share: a file never changes once written, so a backup adds only those that are new.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from warehouse.errors import WarehouseError
from warehouse.upkeep.files import safe

FORMAT = 1
FOLDER, FILE = "backups", "manifest.json"
#: Of a backup that is being made; what is left of one whose maker died is removed by the next.
UNFINISHED = ".unfinished"
_NAME = re.compile(r"\d{8}T\d{9}Z")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of a backup: where it belongs, its size in bytes, its SHA-256, and of a Parquet file its table and rows."""

    path: str
    bytes: int
    sha256: str
    table: str = ""
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup.

    Attributes
    ----------
    name : str
        When it was made, UTC to the millisecond: names sort by time.
    snapshot : int
        The lake's snapshot that it holds; earlier ones that were kept then are in it too.
    rows : dict of str to int
        Rows by table.
    offsets : list of [topic, partition, next_offset]
        Where the stream goes on after a restore.
    catalog : Kept
        ``catalog.sqlite`` beside the manifest.
    files : tuple of Kept
        Parquet files, below ``data/``.
    beside : tuple of Kept
        Other files of the home, below ``beside/`` next to the manifest.
    """

    name: str
    snapshot: int
    rows: dict[str, int]
    offsets: list[list[Any]]
    catalog: Kept
    files: tuple[Kept, ...]
    beside: tuple[Kept, ...] = ()

    @property
    def made_at(self) -> datetime:
        """When it was made, UTC."""
        return datetime.strptime(f"{self.name[:-4]}+0000", "%Y%m%dT%H%M%S%z")

    @property
    def bytes(self) -> int:
        """Size of all that it holds, in bytes."""
        return self.catalog.bytes + sum(file.bytes for file in (*self.files, *self.beside))

    def text(self) -> str:
        """As JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"


def name_of(moment: datetime) -> str:
    """Name of a backup made at that moment.

    Examples
    --------
    >>> name_of(datetime(2026, 9, 1, 4, 12, 0, 250_000, tzinfo=UTC))
    '20260901T041200250Z'
    """
    moment = moment.astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03d}Z"


def names(into: Path) -> list[str]:
    """Whole backups in a backup directory, the earliest first."""
    folder = into / FOLDER
    return sorted(each.parent.name for each in folder.glob(f"*/{FILE}") if _NAME.fullmatch(each.parent.name))


def read(into: Path, name: str | None = None) -> Manifest:
    """Manifest of a backup; of the latest where no name is given.

    Raises
    ------
    WarehouseError
        There is no such backup, or its manifest can't be read or was changed.
    """
    there = names(into)
    if not there:
        raise WarehouseError("there is no whole backup", str(into), "make one with `plumbline backup`")
    if name is not None and name not in there:
        raise WarehouseError(f"there is no backup {name[:40]!r}", str(into), f"choose from {', '.join(there)}")
    file = into / FOLDER / (name or there[-1]) / FILE
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
        if said.pop("format") != FORMAT:
            raise WarehouseError("a manifest of another version", str(file), "restore it with the version that made it")
        found = Manifest(
            name=str(said["name"]),
            snapshot=int(said["snapshot"]),
            rows={str(table): int(rows) for table, rows in said["rows"].items()},
            offsets=[[str(topic), int(partition), int(offset)] for topic, partition, offset in said["offsets"]],
            catalog=_kept(said["catalog"], file),
            files=tuple(_kept(each, file) for each in said["files"]),
            beside=tuple(_kept(each, file) for each in said["beside"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        todo = "take another backup: `plumbline restore DIR --list` names them"
        raise WarehouseError("the manifest can't be read", str(file), f"{todo} ({error})") from error
    if found.name != file.parent.name:
        raise WarehouseError("a manifest of another backup", str(file), "it was moved by hand: take another backup")
    return found


def _kept(said: dict[str, Any], file: Path) -> Kept:
    kept = Kept(
        safe(str(said["path"]), file), int(said["bytes"]), str(said["sha256"]), str(said["table"]), int(said["rows"])
    )
    if not _DIGEST.fullmatch(kept.sha256):
        raise ValueError(f"no SHA-256: {kept.sha256[:80]!r}")
    return kept

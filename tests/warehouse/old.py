"""Warehouses as earlier versions left them, stored beside this file: ``old/NNNN.tar.xz`` by their last migration.

At a release, ``python -m tests.warehouse.old`` stores the current one: a simulated day of two workflows, streamed and refreshed
by the code that is released. Stored ones are never made anew: they are what that version wrote.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).with_name("old")
#: What is left out: locks and other files that say nothing.
_KEPT = ("catalog.sqlite", "data", "snapshot")


def stored() -> list[Path]:
    """The stored warehouses, the oldest first."""
    return sorted(FOLDER.glob("[0-9][0-9][0-9][0-9].tar.xz"))


def unpacked(archive: Path, target: Path) -> Path:
    """Unpack a stored warehouse into a new directory."""
    with tarfile.open(archive) as opened:
        opened.extractall(target, filter="data")
    return target


def pack(home: Path, archive: Path) -> None:
    """Store a closed warehouse."""
    archive.parent.mkdir(exist_ok=True)
    with tarfile.open(archive, "w:xz", preset=9) as opened:
        for name in _KEPT:
            if (home / name).exists():
                opened.add(home / name, name, filter=_nobodys)


def _nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def _main() -> int:
    from pipelines.cli import main
    from warehouse import migrate

    archive = FOLDER / f"{len(migrate.migrations()):04d}.tar.xz"
    if archive.exists():
        print(f"{archive.name} is there: what a version has left stays as it is", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        home, day = Path(folder) / "home", Path(folder) / "day"
        small = ["--days", "1", "--workflows", "2", "--rate", "3", "--no-drift"]
        for command in (
            ["simulate", "--out", str(day), *small],
            ["stream", "--source", "files", "--files", f"{day}/*.binpb", "--until-end"],
            ["refresh"],
        ):
            if status := main(["--home", str(home), *command]):
                return status
        pack(home / "warehouse", archive)
    print(f"{archive}: {archive.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(_main())

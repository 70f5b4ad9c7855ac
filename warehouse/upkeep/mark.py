"""How far the lake has come, noted outside of its catalog: so that a catalog of yesterday is noticed.

A catalog that an operator puts back from a copy knows nothing of the files that were written after it. Compaction would take them
for orphans and delete them. The mark ``HOME/warehouse/snapshot`` holds the id of a snapshot that was committed; a catalog whose
latest snapshot is before it is behind, and nobody writes to it before `plumbline doctor --repair` has said what that means.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

FILE = "snapshot"
#: Between two notes of one process, in seconds: a catalog is found behind unless it is younger than that.
EVERY_S = 10.0


def read(path: Path) -> int:
    """The id noted for the warehouse in directory `path`; -1 where there is none, or none that can be read."""
    with suppress(OSError, ValueError):
        text = (path / FILE).read_text(encoding="ascii").strip()
        return int(text) if re.fullmatch(r"\d{1,18}", text) else -1
    return -1


def note(path: Path, snapshot: int) -> None:
    """Note a snapshot that was committed. To be called in a writer's turn.

    A note that can't be written is left out: the one before is as true, only older.
    """
    beside = path / f"{FILE}.new"
    with suppress(OSError):
        beside.write_text(f"{snapshot}\n", encoding="ascii")
        beside.replace(path / FILE)

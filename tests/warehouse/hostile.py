"""Test-only: the hostile statements, and what is on the disk before and after them."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from pathlib import Path

import polars as pl

from warehouse import Warehouse

_FILE = Path(__file__).with_name("hostile_statements.txt")
_ESCAPE = re.compile(r"\\(n|t|0|u[0-9a-f]{4})")
_PLAIN = {"n": "\n", "t": "\t", "0": "\0"}


def hostile_statements(lake: Path) -> list[str]:
    """The statements of the file, about the warehouse in directory `lake`; and one nested deeper than any parser goes."""
    places = {
        "{data}": lake / "data",
        "{home}": lake,
        "{other}": lake.parent / "other.sqlite",
        "{out}": lake.parent / "written.csv",
    }
    found = []
    for line in _FILE.read_text(encoding="utf-8").split("\n"):
        if line and not line.startswith("#"):
            for mark, place in places.items():
                line = line.replace(mark, str(place))
            found.append(_ESCAPE.sub(lambda m: _PLAIN.get(m[1]) or chr(int(m[1][1:], 16)), line))
    return [*found, "SELECT " + "abs(" * 5000 + "1" + ")" * 5000]


def write_small_lake(lake: Path) -> None:
    """A warehouse with rows in the catalog and rows in a file, and another SQLite file beside it."""
    with Warehouse.open(lake) as warehouse:
        for copies in (1, 150):
            frame = pl.DataFrame({"topic": ["t"] * copies, "partition": range(copies), "next_offset": range(copies)})
            warehouse.transaction(lambda c, frame=frame: warehouse.insert(c, "consumed_offsets", frame))
    with sqlite3.connect(lake.parent / "other.sqlite") as connection:
        connection.execute("CREATE TABLE secret (word)")


def on_disk(lake: Path) -> dict[str, str]:
    """Digest of every file of the warehouse and beside it; SQLite's shared memory and an empty log are no content."""
    return {
        str(file.relative_to(lake.parent)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(lake.parent.rglob("*"))
        if file.is_file() and not file.name.endswith("-shm") and (file.stat().st_size or not file.name.endswith("-wal"))
    }

"""The disk is full amid compaction, migration, backup or restore: one line, nothing lost, and with room it goes on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.warehouse.dying import work_on
from tests.warehouse.old import stored, unpacked
from tests.warehouse.test_backup import everything, same
from tests.warehouse.test_compaction import write
from warehouse import Warehouse, migrate
from warehouse.upkeep import manifest
from warehouse.upkeep.backup import damaged
from warehouse.upkeep.inspection import inspect

_ROOM = 200 * 1024


@contextmanager
def small_disk(place: Path, size: int) -> Iterator[Callable[[], None]]:
    """Mount a file system of so many bytes there; what is yielded makes it large."""
    place.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=500m", str(place)], check=True) and None
    finally:
        subprocess.run(["umount", str(place)], check=True)


def size_of(home: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in home.rglob("*") if path.is_file())


def fill(place: Path, left: int) -> None:
    """Leave so many bytes free."""
    with (place / "ballast").open("wb") as file:
        file.write(b"\0" * max(0, shutil.disk_usage(place).free - left))


@pytest.fixture
def filled(template: Path, home: Path) -> Path:
    shutil.copytree(template, home)
    with Warehouse.open(home) as lake:
        for number in range(8):
            write(lake, number, rows=5000)
        lake.transaction(lambda c: c.execute("DELETE FROM spans WHERE span_id < '0000000000000400'"))
    return home


def is_full(answer: dict[str, str]) -> bool:
    return answer.get("kind") == "WarehouseFullError" and "\n" not in answer["error"]


def test_compaction(filled: Path, tmp_path: Path) -> None:
    before = everything(filled)
    with small_disk(tmp_path / "disk", 400 << 20) as enlarge:
        home = tmp_path / "disk/warehouse"
        shutil.copytree(filled, home)
        for left in (0, _ROOM):  # not even to be opened, and not for the files that it would make
            fill(tmp_path / "disk", left)
            assert is_full(work_on(home, "compact")), f"with {left} bytes left"
            (tmp_path / "disk/ballast").unlink()
            same(everything(home), before)
        assert not inspect(home).faulty
        enlarge()
        assert work_on(home, "compact")["files_rewritten"] > 0
        same(everything(home), before)
        work_on(home, "compact")
        assert not inspect(home).faulty


def test_migration(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 400 << 20) as enlarge:
        home = unpacked(stored()[0], tmp_path / "disk/warehouse")
        before = everything(home)
        for left in (0, _ROOM):
            fill(tmp_path / "disk", left)
            assert is_full(work_on(home, "migrate")), f"with {left} bytes left"
            (tmp_path / "disk/ballast").unlink()
            assert everything(home).keys() == before.keys(), "none of the migrations, or all"
        enlarge()
        assert work_on(home, "migrate") == len(migrate.migrations())
        after = everything(home)["spans"]
        assert after.select(before["spans"].columns).sort("span_id").equals(before["spans"].sort("span_id"))


def test_backup(filled: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 400 << 20) as enlarge:
        into = tmp_path / "disk/kept"
        first = work_on(filled, "backup", into, 1)
        with Warehouse.open(filled) as lake:
            write(lake, 9, rows=20_000)
        for left in (0, _ROOM // 10, size_of(filled / "data") // 8):
            fill(tmp_path / "disk", left)
            assert is_full(work_on(filled, "backup", into, 1)), f"with {left} bytes left"
            (tmp_path / "disk/ballast").unlink()
            assert manifest.names(into) == [first["name"]]
            assert not list(damaged(into, manifest.read(into)))
        enlarge()
        last = work_on(filled, "backup", into, 1)
        assert manifest.names(into) == [last["name"]]
        assert not list((into / "backups").glob("*.unfinished"))


def test_restore(filled: Path, tmp_path: Path) -> None:
    before = everything(filled)
    made = work_on(filled, "backup", tmp_path / "kept")
    size = manifest.read(tmp_path / "kept", made["name"]).bytes
    # Less than the backup takes is seen before it begins; a little more than it, only when blocks and directories are counted.
    for room in (size // 2, size + 4096):
        with small_disk(tmp_path / f"disk-{room}", room) as enlarge:
            home = tmp_path / f"disk-{room}/warehouse"
            assert is_full(work_on(home, "restore", tmp_path / "kept"))
            assert not home.exists()
            enlarge()
            work_on(home, "restore", tmp_path / "kept")
            same(everything(home), before)

"""Killed at every step of compaction, migration, retention, backup and restore: nothing is lost, and the next run ends well."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from tests.warehouse.dying import POINTS, passings, work_on
from tests.warehouse.test_backup import everything, same
from tests.warehouse.test_compaction import write
from warehouse import Warehouse, WarehouseError, migrate
from warehouse.upkeep import manifest
from warehouse.upkeep.backup import damaged
from warehouse.upkeep.inspection import inspect

NOW = "2025-08-31T15:00:00"
# Of three of the six files, so that there is something to rewrite and something to merge.
DELETE = "DELETE FROM spans WHERE span_id < '0000000000000064' AND started_at < TIMESTAMP '2025-08-01 00:03'"


@pytest.fixture(scope="session")
def busy(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Path:
    """A warehouse with work for every step: small files, deleted rows, rows in the catalog, old snapshots."""
    home = tmp_path_factory.mktemp("busy") / "warehouse"
    shutil.copytree(template, home)
    with Warehouse.open(home) as lake:
        for number in range(6):
            write(lake, number)
        lake.transaction(lambda c: c.execute(DELETE))
    return home


def deaths(home: Path, work: str, *arguments: object) -> list[tuple[str, int]]:
    """Where to die: of each point that the work passes, the first and the last time."""
    passed = Counter(passings(home, work, *arguments))
    assert set(POINTS[work]) <= passed.keys() | {"commit"}, "a point that is never passed shows nothing"
    return sorted({(point, nth) for point, times in passed.items() for nth in (1, times)})


def died(home: Path, work: str, death: tuple[str, int], *arguments: object) -> None:
    assert work_on(home, work, *arguments, die=death) is None, f"it did not die at {death}"


def sound(home: Path) -> None:
    found = inspect(home)
    assert not found.faulty and not found.is_behind


@pytest.mark.slow
def test_compaction_and_expiry(busy: Path, tmp_path: Path) -> None:
    before = everything(busy)
    counted = copied(busy, tmp_path / "counted")
    where = deaths(counted, "compact")
    rows_after = everything(counted)
    same(rows_after, before)
    home = copied(busy, tmp_path / "home")
    for death in where:  # one after the other on the same lake: each begins with what the death before has left
        with Warehouse.open(home) as lake:  # something to do for every step again
            write(lake, 50)
            lake.transaction(lambda c: c.execute("DELETE FROM spans WHERE trace_id = ?", [f"{50:032x}"]))
            lake.transaction(lambda c: c.execute("UPDATE consumed_offsets SET next_offset = 6"))
        work_on(home, "compact", die=death)
        sound(home)
        same(everything(home), before)
    work_on(home, "compact")
    work_on(home, "compact")
    sound(home)
    same(everything(home), before)
    with Warehouse.open(home) as lake:
        known = lake.query("SELECT sum(file_count)::INT FROM ducklake_table_info('lake')").item()
    assert len(list((home / "data").rglob("*.parquet"))) == known, "what deaths have left is cleaned up"


def copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


@pytest.mark.slow
def test_backup(busy: Path, tmp_path: Path) -> None:
    into = tmp_path / "kept"
    first = work_on(busy, "backup", into, 2, "2026-09-01T00:00:00")
    home = copied(busy, tmp_path / "home")
    with Warehouse.open(home) as lake:
        write(lake, 6)
    where = deaths(copied(home, tmp_path / "counted"), "backup", copied(into, tmp_path / "into"), 1)
    for death in where:
        there = copied(into, tmp_path / "there")
        died(home, "backup", death, there, 1)
        names = manifest.names(there)
        assert names, f"{death}: neither the backup before nor the new one"
        for name in names:
            assert not list(damaged(there, manifest.read(there, name))), f"{death}: {name} is no longer whole"
        assert names[-1] == first["name"] or manifest.read(there).rows["spans"] == first["rows"]["spans"] + 200
        last = work_on(home, "backup", there, 1)
        assert manifest.names(there) == [last["name"]]
        assert not list(damaged(there, manifest.read(there)))
        assert not list((there / "backups").glob("*.unfinished")), "what the death left is cleared"
        shutil.rmtree(there)


@pytest.mark.slow
def test_restore(busy: Path, tmp_path: Path) -> None:
    before = everything(busy)
    into = tmp_path / "kept"
    work_on(busy, "backup", into)
    for death in deaths(tmp_path / "counted", "restore", into):
        home = tmp_path / "home"
        died(home, "restore", death, into)
        if home.exists():  # it died after its last step
            with pytest.raises(WarehouseError, match="already"):
                raise_for(work_on(home, "restore", into))
        else:
            work_on(home, "restore", into)
        same(everything(home), before)
        assert not home.with_name("home.restoring").exists()
        shutil.rmtree(home)


def raise_for(answer: dict[str, str]) -> None:
    raise WarehouseError(answer["error"])


@pytest.mark.slow
def test_retention(busy: Path, tmp_path: Path) -> None:
    letters = pl.DataFrame(
        {
            "dead_letter_id": [f"{n}" for n in range(300)],
            "seen_at": pl.Series(["2025-08-01"] * 200 + ["2025-08-30"] * 100).str.to_datetime(),
        }
    )
    source = copied(busy, tmp_path / "source")
    with Warehouse.open(source) as lake:
        lake.transaction(lambda c: lake.insert(c, "dead_letters", letters))
    for death in deaths(copied(source, tmp_path / "counted"), "retain", "dead_letters", 10, NOW):
        home = copied(source, tmp_path / "home")
        died(home, "retain", death, "dead_letters", 10, NOW)
        left = everything(home)["dead_letters"].height
        assert left in (300, 100), f"{death}: half a transaction"
        assert work_on(home, "retain", "dead_letters", 10, NOW) == {"dead_letters": left - 100}
        sound(home)
        shutil.rmtree(home)


@pytest.mark.slow
def test_migration(tmp_path: Path) -> None:
    from tests.warehouse.old import stored, unpacked

    oldest = stored()[0]
    home = unpacked(oldest, tmp_path / "source")
    rows = everything(home)["spans"]
    where = deaths(copied(home, tmp_path / "counted"), "migrate")
    for point, nth in where:
        home = unpacked(oldest, tmp_path / "home")
        died(home, "migrate", (point, nth))
        sound(home)
        assert everything(home)["spans"].select("trace_id", "span_id").height == rows.height
        assert work_on(home, "migrate") == len(migrate.migrations())
        assert everything(home)["spans"].height == rows.height
        shutil.rmtree(home)

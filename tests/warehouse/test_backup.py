"""Backup and restore: whole as of one moment beside a writer, checked, incremental, and never in the place of anything."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.warehouse.dying import work_on
from tests.warehouse.test_compaction import WRITER, write
from warehouse import Warehouse, WarehouseError, read_only
from warehouse.upkeep import manifest
from warehouse.upkeep.backup import back_up, damaged
from warehouse.upkeep.restore import restore


def everything(home: Path) -> dict[str, pl.DataFrame]:
    """All rows of all tables."""
    with read_only(home) as lake:
        names = lake.query("SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake' ORDER BY ALL")
        return {name: lake.query(f'SELECT * FROM "{name}" ORDER BY ALL') for name in names.to_series()}


def same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> None:
    assert one.keys() == other.keys()
    for name, frame in one.items():
        assert_frame_equal(frame, other[name])


@pytest.fixture
def filled(template: Path, home: Path) -> Path:
    shutil.copytree(template, home)
    with Warehouse.open(home) as lake:
        for number in range(3):
            write(lake, number)
        lake.transaction(lambda c: c.execute("DELETE FROM spans WHERE span_id < '0000000000000064'"))
    return home


def test_what_is_restored_is_what_was_there_deleted_rows_and_history_included(filled: Path, tmp_path: Path) -> None:
    before = everything(filled)
    made = work_on(filled, "backup", tmp_path / "kept")
    assert made["rows"]["spans"] == before["spans"].height < 600
    with Warehouse.open(filled) as lake:
        write(lake, 9)
    again = tmp_path / "again"
    assert work_on(again, "restore", tmp_path / "kept")["name"] == made["name"]
    same(everything(again), before)
    with read_only(again) as lake:
        then = made["snapshot"] - 1
        assert lake.query(f"SELECT count(*) FROM spans AT (VERSION => {then})").item() == 600
    with Warehouse.open(again) as lake:  # and it is one to write to
        write(lake, 5)
        assert lake.query("SELECT next_offset FROM consumed_offsets").rows() == [(6,)]


def test_a_second_backup_adds_what_is_new_and_those_beyond_the_kept_ones_go(filled: Path, tmp_path: Path) -> None:
    into = tmp_path / "kept"
    first = back_up(filled, into, keep=2)
    before = {path: path.stat().st_mtime_ns for path in (into / "data").rglob("*.parquet")}
    with Warehouse.open(filled) as lake:
        write(lake, 3)
    second = back_up(filled, into, keep=2)
    after = {path: path.stat().st_mtime_ns for path in (into / "data").rglob("*.parquet")}
    assert len(after) == len(before) + 1
    assert all(after[path] == time for path, time in before.items()), "a file that is there is not copied again"
    assert work_on(filled, "compact")["files_merged"] > 0
    third = back_up(filled, into, keep=2)
    assert manifest.names(into) == [second.name, third.name] and first.name not in manifest.names(into)
    back_up(filled, into, keep=1)
    kept = {path.relative_to(into / "data").as_posix() for path in (into / "data").rglob("*.parquet")}
    assert kept == {file.path for file in manifest.read(into).files}
    assert not list(damaged(into, manifest.read(into)))


@pytest.mark.slow
def test_a_backup_beside_a_writer_and_a_compaction_is_whole_as_of_one_moment(
    template: Path, home: Path, tmp_path: Path
) -> None:
    shutil.copytree(template, home)
    stop = tmp_path / "stop"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(home), str(stop)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert writer.stdout and writer.stdout.readline() == "0\n"
        for number in range(3):
            work_on(home, "backup", tmp_path / "kept")
            work_on(home, "compact")
            found = work_on(tmp_path / f"again-{number}", "restore", tmp_path / "kept")
            with read_only(tmp_path / f"again-{number}") as lake:
                spans, offset = lake.query(
                    "SELECT (SELECT count(*) FROM spans), (SELECT next_offset FROM consumed_offsets)"
                ).row(0)
            assert spans == 200 * offset == found["rows"]["spans"], "rows and offsets are of one commit"
        stop.touch()
        assert writer.wait(60) == 0, writer.stderr and writer.stderr.read()
    finally:
        writer.kill()


def test_while_a_backup_copies_files_no_clean_up_takes_them_away(filled: Path, tmp_path: Path) -> None:
    from warehouse.compaction import FILES_LOCK
    from warehouse.turns import turn

    with turn(filled / FILES_LOCK, wait_s=1):
        files = set((filled / "data").rglob("*.parquet"))
        counts = work_on(filled, "compact")
        assert counts["files_rewritten"] > 0 and counts["files_deleted"] == 0
        assert files <= set((filled / "data").rglob("*.parquet"))
    assert work_on(filled, "compact")["files_deleted"] > 0


def change(file: Path, how: str) -> None:
    content = bytearray(file.read_bytes())
    if how == "a bit":
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
    elif how == "cut":
        file.write_bytes(content[:100])
    else:
        file.unlink()


@pytest.mark.parametrize("how", ["a bit", "cut", "gone"])
@pytest.mark.parametrize("which", ["a Parquet file", "the catalog"])
def test_a_damaged_backup_is_not_restored_and_the_file_is_named(
    filled: Path, tmp_path: Path, how: str, which: str
) -> None:
    made = back_up(filled, tmp_path / "kept")
    file = min((tmp_path / "kept/data").rglob("*.parquet"))
    name = file.relative_to(tmp_path / "kept/data").as_posix()
    if which == "the catalog":
        file, name = tmp_path / "kept/backups" / made.name / "catalog.sqlite", "catalog.sqlite"
    change(file, how)
    assert [bad.path for bad, _ in damaged(tmp_path / "kept", made)] == [name]
    with pytest.raises(WarehouseError, match=f"1 damaged files in backup {made.name}.*{name}"):
        restore(tmp_path / "kept", tmp_path / "again")
    assert not (tmp_path / "again").exists()
    if which == "the catalog":
        with pytest.raises(WarehouseError, match="1 damaged files"):
            restore(tmp_path / "kept", tmp_path / "again", without_damaged=True)
        return
    again = work_on(tmp_path / "again", "restore", tmp_path / "kept", "without_damaged")
    assert len(again["left_out"]) == 1 and name in again["left_out"][0]
    assert "rows of spans" in again["left_out"][0]
    back_up(filled, tmp_path / "kept")
    assert not list(damaged(tmp_path / "kept", manifest.read(tmp_path / "kept"))), "the next backup mends it"


def test_a_damaged_warehouse_is_not_backed_up_and_earlier_backups_stay(filled: Path, tmp_path: Path) -> None:
    made = back_up(filled, tmp_path / "kept", keep=1)
    file = min((filled / "data").rglob("*.parquet"))
    change(file, "cut")
    with pytest.raises(WarehouseError, match=r"1 of \d files can't be backed up .*100 of .* bytes.*plumbline doctor"):
        back_up(filled, tmp_path / "kept", keep=1)
    assert manifest.names(tmp_path / "kept") == [made.name]
    assert not list(damaged(tmp_path / "kept", made))


def test_a_restore_never_takes_the_place_of_what_is_there(filled: Path, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "kept")
    before = everything(filled)
    with pytest.raises(WarehouseError, match="there is a warehouse already"):
        restore(tmp_path / "kept", filled)
    same(everything(filled), before)


def test_a_directory_of_something_else_is_not_a_place_for_backups(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "photos/data").mkdir(parents=True)
    (tmp_path / "photos/data/cat.jpg").write_bytes(b"cat")
    with pytest.raises(WarehouseError, match="not a backup directory"):
        back_up(filled, tmp_path / "photos")
    with pytest.raises(WarehouseError, match="inside of what it backs up"):
        back_up(filled, filled / "kept")
    assert [path.name for path in (tmp_path / "photos").rglob("*.*")] == ["cat.jpg"]


HOSTILE: dict[str, Any] = {
    "path upwards": lambda said: said["files"][0].update(path="../../../etc/cron.d/x"),
    "absolute path": lambda said: said["files"][0].update(path="/etc/passwd"),
    "no path": lambda said: said["files"][0].update(path=""),
    "no digest": lambda said: said["files"][0].update(sha256="0"),
    "beside upwards": lambda said: said["beside"].append({**said["files"][0], "path": "../x"}),
    "rows of text": lambda said: said.update(rows={"spans": "many"}),
    "another version": lambda said: said.update(format=2),
    "another name": lambda said: said.update(name="20250101T000000000Z"),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_manifest_that_was_changed_is_refused(filled: Path, tmp_path: Path, how: str) -> None:
    made = back_up(filled, tmp_path / "kept")
    file = tmp_path / "kept/backups" / made.name / "manifest.json"
    said = json.loads(file.read_text(encoding="utf-8"))
    HOSTILE[how](said)
    file.write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(WarehouseError, match=r"leads elsewhere|can't be read|another version|another backup"):
        restore(tmp_path / "kept", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_where_there_is_no_backup_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match=r"no whole backup.*plumbline backup"):
        restore(tmp_path / "nothing", tmp_path / "again")
    with pytest.raises(WarehouseError, match="there is no catalog"):
        back_up(tmp_path / "nowhere", tmp_path / "kept")
    assert not list(tmp_path.iterdir()), "asking leaves nothing"

"""Inspection and repair: what is missing, damaged or unknown is named to the rows, said before it is done, and never deleted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.warehouse.dying import work_on
from tests.warehouse.test_backup import everything, same
from warehouse import Warehouse, WarehouseError, compaction, read_only
from warehouse.upkeep.backup import back_up
from warehouse.upkeep.catalog import copy_catalog
from warehouse.upkeep.inspection import Inspection, inspect
from warehouse.upkeep.repair import plan

ROWS = 200


def message(number: int) -> pl.DataFrame:
    """The spans of one message: its offset is its number."""
    return pl.DataFrame(
        {
            "trace_id": [f"{number:032x}"] * ROWS,
            "span_id": [f"{n:016x}" for n in range(ROWS)],
            "run_id": f"{number:032x}",
            "workflow": "w",
            "kind": "tool",
            "started_at": [datetime(2025, 8, 1 + number, 12) + timedelta(seconds=n) for n in range(ROWS)],
            "topic": "spans",
            "partition": 3,
            "offset": number,
        },
        schema_overrides={"partition": pl.Int32},
    )


def write(lake: Warehouse, number: int) -> None:
    """Commit a message as the stream does: rows that are not there, and the offset."""

    def work(connection) -> None:
        known = connection.execute("SELECT trace_id, span_id FROM spans").pl()
        lake.insert(connection, "spans", message(number).join(known, on=["trace_id", "span_id"], how="anti"))
        connection.execute("DELETE FROM consumed_offsets WHERE topic = 'spans'")
        lake.insert(
            connection,
            "consumed_offsets",
            pl.DataFrame({"topic": ["spans"], "partition": [3], "next_offset": [number + 1]}),
        )

    lake.transaction(work)


@pytest.fixture
def filled(template: Path, home: Path) -> Path:
    shutil.copytree(template, home)
    with Warehouse.open(home) as lake:
        for number in range(4):
            write(lake, number)
    return home


def file_of(home: Path, number: int) -> Path:
    (file,) = (home / "data/main/spans").glob(f"*/*/day={1 + number}/*.parquet")
    return file


def do(home: Path, found: Inspection, backups: Path | None = None) -> list[str]:
    steps, beyond = plan(home, found, backups)
    assert not beyond
    return [step.do() for step in steps]


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def overwrite(file: Path) -> None:
    file.write_bytes(b"x" * file.stat().st_size)


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "truncated": (cut, "1,000 of "),
    "gone": (Path.unlink, "not there"),
    "overwritten": (overwrite, "no Parquet any more"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_file_is_named_with_its_rows_and_comes_back_from_a_backup(
    filled: Path, tmp_path: Path, fault: str
) -> None:
    before = everything(filled)
    back_up(filled, tmp_path / "kept")
    file = file_of(filled, 2)
    harm, words = FAULTS[fault]
    harm(file)
    found = inspect(filled)
    (bad,) = found.faulty
    assert words in bad.fault and bad.file.path == file.relative_to(filled / "data").as_posix()
    assert bad.rows == "200 rows of spans, of 2025-08-03 12:00:00 to 2025-08-03 12:03:19, from spans[3]@2"
    assert do(filled, found, tmp_path / "kept") == [f"copied back {bad.file.path}"]
    same(everything(filled), before)
    assert not inspect(filled).faulty
    assert (filled / "damaged" / bad.file.path).exists() == (fault != "gone"), "what was there is kept"


@pytest.mark.parametrize("fault", FAULTS)
def test_without_a_backup_the_others_can_be_read_again_and_what_is_lost_is_named(filled: Path, fault: str) -> None:
    FAULTS[fault][0](file_of(filled, 2))
    before = inspect(filled)
    ((step,), _) = plan(filled, before)
    assert step.lost == [
        f"200 rows of spans, of 2025-08-03 12:00:00 to 2025-08-03 12:03:19, from spans[3]@2: "
        f"{before.faulty[0].file.path}, {before.faulty[0].fault}"
    ]
    assert inspect(filled) == before, "saying what would be done changes nothing"
    step.do()
    assert not inspect(filled).faulty
    assert work_on(filled, "compact")["files_before"] > 0
    with Warehouse.open(filled) as lake:
        offsets = lake.query('SELECT "offset", count(*) FROM spans GROUP BY ALL ORDER BY ALL').rows()
        assert offsets == [(0, ROWS), (1, ROWS), (3, ROWS)]
        write(lake, 2)  # and the rows can be stored once more
        assert lake.query("SELECT count(*) FROM spans").item() == 4 * ROWS


def test_a_backup_whose_copy_is_damaged_too_is_no_help(filled: Path, tmp_path: Path) -> None:
    back_up(filled, tmp_path / "kept")
    for file in (file_of(filled, 1), *(tmp_path / "kept/data/main/spans").glob("*/*/day=2/*.parquet")):
        cut(file)
    ((step,), _) = plan(filled, inspect(filled), tmp_path / "kept")
    assert step.what.startswith("give up 1 files that no backup has")


def test_files_of_deletions_are_named_as_such(filled: Path, home: Path) -> None:
    with Warehouse.open(filled) as lake:
        lake.transaction(lambda c: c.execute("DELETE FROM spans WHERE span_id < '0000000000000006'"))
    work_on(filled, "flush")  # the deletions wait in the catalog until then
    with read_only(filled) as lake:
        assert lake.query("SELECT count(*) FROM spans").item() == 4 * (ROWS - 6)
    file = min((filled / "data/main/spans").rglob("*-delete.parquet"))
    cut(file)
    (bad,) = inspect(filled).faulty
    assert bad.rows == "the deletion of 6 rows of spans"
    do(filled, inspect(filled))
    with read_only(filled) as lake:
        assert lake.query("SELECT count(*) FROM spans").item() == 4 * (ROWS - 6) + 6


def test_the_record_of_migrations_is_not_given_up(filled: Path) -> None:
    work_on(filled, "flush")
    (file,) = (filled / "data/main/schema_migrations").rglob("*.parquet")
    file.unlink()
    steps, beyond = plan(filled, inspect(filled))
    assert not steps
    assert beyond == [
        f"{file.relative_to(filled / 'data').as_posix()}: not there; without schema_migrations nothing can be repaired: "
        "restore a backup"
    ]


def put_back(home: Path, catalog: Path) -> None:
    """Put an earlier catalog in the place of the latest, as an operator would."""
    for name in ("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"):
        (home / name).unlink(missing_ok=True)
    shutil.copyfile(catalog, home / "catalog.sqlite")


def test_a_catalog_of_yesterday_is_noticed_and_no_row_is_lost(filled: Path, tmp_path: Path) -> None:
    copy_catalog(filled / "catalog.sqlite", tmp_path / "yesterday.sqlite")
    with Warehouse.open(filled) as lake:
        for number in range(4, 8):
            write(lake, number)
        then = lake.snapshot()
    before = everything(filled)["spans"].drop("ingested_at")
    put_back(filled, tmp_path / "yesterday.sqlite")

    with pytest.raises(WarehouseError, match=rf"earlier one: it ends at snapshot \d+, and {then} was committed"):
        Warehouse.open(filled)
    found = inspect(filled)
    assert found.is_behind and len(found.unknown) == 4
    assert {(file.table, file.rows) for file in found.unknown} == {("spans", ROWS)}
    ((step,), _) = plan(filled, found)
    assert "800 rows of spans" in step.what
    files = set(filled.rglob("*.parquet"))
    said = step.do()
    assert "start `plumbline stream`" in said
    assert len(set(filled.rglob("*.parquet"))) == len(files), "moved, not deleted"

    # The stream comes to two of the four messages; the log has lost the others, so it goes on behind them.
    with Warehouse.open(filled) as lake:
        write(lake, 4)
        assert not plan(filled, inspect(filled))[0][0].what.startswith("take"), "the stream brings the others itself"
        write(lake, 7)
    work_on(filled, "compact")
    steps, _ = plan(filled, inspect(filled))
    assert sorted(step.what.split()[0] for step in steps) == ["remove", "remove", "take", "take"]
    for step in steps:
        step.do()
    assert not inspect(filled).aside
    after = everything(filled)["spans"].drop("ingested_at")
    assert after.sort("offset", "span_id").equals(before.sort("offset", "span_id"))


def test_a_death_in_the_middle_of_setting_aside_leaves_it_to_be_done_again(filled: Path, tmp_path: Path) -> None:
    copy_catalog(filled / "catalog.sqlite", tmp_path / "yesterday.sqlite")
    with Warehouse.open(filled) as lake:
        for number in range(4, 7):
            write(lake, number)
    put_back(filled, tmp_path / "yesterday.sqlite")
    assert work_on(filled, "repair", die=("warehouse.upkeep.repair:_put_aside", 2)) is None
    found = inspect(filled)
    assert found.is_behind and (len(found.unknown), len(found.aside)) == (1, 2)
    do(filled, found)
    assert not inspect(filled).is_behind and len(inspect(filled).aside) == 3


def test_todays_catalog_over_yesterdays_files_names_each_that_is_missing(filled: Path, tmp_path: Path) -> None:
    shutil.copytree(filled / "data", tmp_path / "yesterday")
    with Warehouse.open(filled) as lake:
        write(lake, 4)
        write(lake, 5)
    shutil.rmtree(filled / "data")
    shutil.copytree(tmp_path / "yesterday", filled / "data")
    found = inspect(filled)
    assert [(bad.file.table, bad.fault, bad.ranges["offset"]) for bad in found.faulty] == [
        ("spans", "not there", ("4", "4")),
        ("spans", "not there", ("5", "5")),
    ]
    do(filled, found)
    with read_only(filled) as lake:
        assert lake.query("SELECT count(*) FROM spans").item() == 4 * ROWS


def test_a_damaged_catalog_is_one_line(filled: Path) -> None:
    content = bytearray((filled / "catalog.sqlite").read_bytes())
    content[4096:40960] = b"\xff" * (40960 - 4096)
    (filled / "catalog.sqlite").write_bytes(content)
    with pytest.raises(WarehouseError, match=r"the catalog can't be read .*plumbline restore"):
        inspect(filled)


def test_orphans_of_a_killed_writer_are_unknown_until_clean_up_deletes_them(filled: Path) -> None:
    orphan = filled / "data/main/spans/year=2025/month=8/day=9/ducklake-orphan.parquet"
    orphan.parent.mkdir(parents=True)
    shutil.copyfile(file_of(filled, 0), orphan)
    assert not inspect(filled).unknown, "a writer that runs may still commit it"
    long_ago = (datetime.now(UTC) - compaction.ORPHAN_AGE - timedelta(hours=1)).timestamp()
    os.utime(orphan, (long_ago, long_ago))
    (unknown,) = inspect(filled).unknown
    assert (unknown.table, unknown.rows) == ("spans", ROWS)
    assert not plan(filled, inspect(filled))[0]
    assert work_on(filled, "compact", "1", "0.04")["orphans_deleted"] == 1
    assert not inspect(filled).unknown

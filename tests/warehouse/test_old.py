"""Warehouses of earlier versions: migrated forward every row is still what it was, and every mart can be built of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.warehouse.old import stored, unpacked
from tests.warehouse.test_backup import everything
from warehouse import Warehouse, marts, migrate
from warehouse.dictionary import raw_tables

#: In a process of its own, as each lake of a process that flushes must be.
SCRIPT = """
import json
import sys
from pathlib import Path
from warehouse import Warehouse, marts
with Warehouse.open(Path(sys.argv[1])) as lake:
    marts.put_live_views(lake)
    print(json.dumps({name: marts.build(lake, name).rows for name in marts.names()}))
"""
#: What a migration made something else of.
_GONE = {"deliveries"}


def test_there_are_some_and_the_latest_is_not_newer_than_this_version() -> None:
    versions = [int(archive.name[:4]) for archive in stored()]
    assert len(versions) >= 5
    assert versions == sorted(set(versions)) and versions[-1] <= len(migrate.migrations())


def migrated(home: Path) -> dict[str, int]:
    """Open for writing, which migrates, and build every mart; rows by mart."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(home)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout[done.stdout.index("{") :])  # behind the bar that DuckDB draws of a slow statement


@pytest.mark.slow
@pytest.mark.parametrize("archive", stored(), ids=lambda archive: archive.name[:4])
def test_every_row_is_still_what_it_was_and_the_marts_count_it(archive: Path, tmp_path: Path) -> None:
    home = unpacked(archive, tmp_path / "warehouse")
    before = everything(home)
    built = migrated(home)
    after = everything(home)

    names = {table.name for table in raw_tables()}
    for name in before.keys() & names - {"schema_migrations", "notifications"}:
        old = before[name]
        assert_frame_equal(after[name].select(old.columns), old, check_row_order=False)
    assert names <= after.keys() and not _GONE & after.keys()
    versions = after["schema_migrations"]["version"].to_list()
    assert sorted(versions) == [migration.version for migration in migrate.migrations()]
    assert before["schema_migrations"].rows() == after["schema_migrations"].rows()[: before["schema_migrations"].height]

    spans = before["spans"]
    assert spans.height == 643, "a warehouse without rows shows nothing"
    assert built["runs"] == spans["run_id"].n_unique()
    assert built["model_calls"] == spans.filter(pl.col("kind") == "model").height
    for name in marts.names():
        missing = set(marts.models()[name].columns) - set(after[name].columns)
        assert not missing, f"mart {name} lacks {missing}"


def test_what_was_told_before_there_were_notifications_is_not_told_again(tmp_path: Path) -> None:
    home = unpacked(stored()[1], tmp_path / "warehouse")
    deliveries = everything(home)["deliveries"]
    assert sorted(deliveries["delivery_id"]) == ["d1", "d2", "d3"]
    with Warehouse.open(home) as lake:
        told = lake.query(
            "SELECT notification_id, channel, state, extent, status FROM notifications ORDER BY ALL"
        ).rows()
    assert told == [("d2", "console", "open", 2, "delivered"), ("d3", "kafka", "open", 2, "delivered")]

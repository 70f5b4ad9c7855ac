"""The catalog's log: it stays while somebody holds it, and goes with the last who works on the catalog."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest

from warehouse import Warehouse, held, read_only
from warehouse.held import HeldLog

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="locks of open file descriptions are Linux's")

SPAN = {"trace_id": ["a"], "span_id": ["b"], "run_id": ["a"], "workflow": ["w"], "kind": ["run"]}
_PENDING = (
    "import fcntl, sys, time; file = open(sys.argv[1] + '/catalog.sqlite', 'r+b'); "
    "fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 1 << 30)"
)
_OPENED = "import sys; from warehouse import read_only; read_only(sys.argv[1]).query('FROM spans')"


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    Warehouse.open(tmp_path).close()
    return tmp_path


def _write(path: Path) -> None:
    with Warehouse.open(path) as warehouse:
        warehouse.transaction(lambda connection: warehouse.insert(connection, "spans", pl.DataFrame(SPAN)))


def _log(path: Path) -> tuple[int, int] | None:
    """Which files the log and its index are."""
    files = [path / f"catalog.sqlite-{name}" for name in ("wal", "shm")]
    return (files[0].stat().st_ino, files[1].stat().st_ino) if all(file.exists() for file in files) else None


def test_without_it_the_last_to_leave_deletes_the_log(lake: Path) -> None:
    _write(lake)
    assert _log(lake) is None


def test_while_it_is_held_the_log_stays_and_afterwards_it_goes(lake: Path) -> None:
    with read_only(lake) as reader:
        log, other = HeldLog(lake / "catalog.sqlite"), HeldLog(lake / "catalog.sqlite")
        log.hold(reader.connection)
        # A read-only connection makes no log where there is none; the next writer does.
        with Warehouse.open(lake) as writer:
            log.hold(writer.connection)
            other.hold(writer.connection)
        assert log.is_held and other.is_held
        held = _log(lake)
        assert held is not None
        _write(lake)
        subprocess.run([sys.executable, "-c", _OPENED, str(lake)], check=True)
        log.release()
        _write(lake)
        assert _log(lake) == held
        assert reader.query("SELECT count(*) FROM spans").item() == 2
        other.release()
    _write(lake)
    assert _log(lake) is None
    with read_only(lake) as reader:
        assert reader.query("SELECT count(*) FROM spans").item() == 3


def test_who_closes_the_catalog_is_told_at_once_that_others_have_it_open(lake: Path) -> None:
    """Who takes the pending byte for himself makes the next one who opens the catalog sleep for a second."""
    log = HeldLog(lake / "catalog.sqlite")
    with Warehouse.open(lake) as writer:
        log.hold(writer.connection)
    assert log.is_held
    assert _others_get_pending_byte(lake) == "no"
    _write(lake)
    assert _others_get_pending_byte(lake) == "no", "closing a connection of this process has dropped the lock"
    log.release()
    assert _others_get_pending_byte(lake) == "yes"


def test_it_waits_for_who_has_the_pending_byte_for_a_moment(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").touch()
    program = f"{_PENDING}; print('has it', flush=True); time.sleep(0.3)"
    with (
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other,
        (tmp_path / "catalog.sqlite").open("rb") as file,
    ):
        assert other.stdout is not None and other.stdout.readline().strip() == "has it"
        held._share(file.fileno(), held._OF_CATALOG)  # pyright: ignore[reportPrivateUsage]
        assert _others_get_pending_byte(tmp_path) == "no"


def _others_get_pending_byte(lake: Path) -> str:
    program = f"{_PENDING}; print('yes')"
    done = subprocess.run([sys.executable, "-c", program, str(lake)], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "BlockingIOError" in done.stderr
    return done.stdout.strip() or "no"


def test_a_catalog_that_has_no_log_yet_can_get_one(lake: Path) -> None:
    with closing(sqlite3.connect(lake / "catalog.sqlite", isolation_level=None)) as catalog:
        catalog.execute("PRAGMA journal_mode = DELETE")
    log = HeldLog(lake / "catalog.sqlite")
    with read_only(lake) as reader:
        log.hold(reader.connection)
        assert not log.is_held
        _write(lake)  # which gives it one: a lock on the catalog would be in its way
        assert reader.query("SELECT count(*) FROM spans").item() == 1


def test_a_catalog_in_place_of_another_is_another(lake: Path) -> None:
    log = HeldLog(lake / "catalog.sqlite")
    with Warehouse.open(lake) as writer:
        log.hold(writer.connection)
    assert log.is_held
    held, backup = lake / "catalog.sqlite", lake / "backup.sqlite"
    with closing(sqlite3.connect(held)) as source, closing(sqlite3.connect(backup)) as target:
        source.backup(target)
    for file in lake.glob("catalog.sqlite*"):
        file.unlink()
    backup.rename(held)
    _write(lake)
    assert _log(lake) is None
    log.release()

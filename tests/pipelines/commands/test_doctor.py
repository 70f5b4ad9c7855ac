"""`plumbline doctor --repair`: it says what it would do, asks, and leaves what was lost in the warehouse."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.checks import examine
from pipelines.cli import main
from pipelines.lease import Lease
from pipelines.settings import Settings
from tests.warehouse.dying import work_on
from warehouse import run_select


def plumbline(home: Path, *arguments: str) -> int:
    return main(["--home", str(home), *arguments])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with Parquet files of spans."""
    small = ["--days", "0.5", "--workflows", "2", "--rate", "8", "--no-drift"]
    home = tmp_path / "home"
    assert plumbline(home, "simulate", "--out", str(tmp_path / "day"), *small) == 0
    files = f"{tmp_path}/day/*.binpb"
    assert plumbline(home, "stream", "--source", "files", "--files", files, "--until-end") == 0
    return home


def test_nothing_is_done_until_it_is_asked_for_and_what_is_lost_is_kept_on_record(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert plumbline(home, "doctor", "--repair") == 0
    assert "nothing to repair" in capfd.readouterr().out
    spans = run_select(home / "warehouse", "SELECT count(*) FROM spans").item()
    assert plumbline(home, "backup", str(tmp_path / "kept")) == 0
    file = min((home / "warehouse/data/main/spans").rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:1000])
    (check,) = [check for check in examine(Settings(home=home)) if check.part == "files"]
    assert check.state == "failed" and file.name in check.finding and "--repair" in check.mend
    assert plumbline(home, "doctor") == 1

    capfd.readouterr()
    assert plumbline(home, "doctor", "--repair") == 1
    said = capfd.readouterr()
    assert "1. give up 1 files that no backup has" in said.out and "rows of spans, of " in said.out
    assert "nothing was done; --yes" in said.err
    assert file.stat().st_size == 1000

    worker = Lease(home / "detection.lock")
    assert worker.take()
    assert plumbline(home, "doctor", "--repair", "--yes") == 1
    assert "stop every `plumbline stream`" in capfd.readouterr().err
    worker.release()

    assert plumbline(home, "doctor", "--repair", "--yes", "--backups", str(tmp_path / "kept")) == 0
    assert "copied back" in capfd.readouterr().out
    assert run_select(home / "warehouse", "SELECT count(*) FROM spans").item() == spans

    file.unlink()
    assert plumbline(home, "doctor", "--repair", "--yes") == 0
    assert "gave up 1 files" in capfd.readouterr().out
    assert run_select(home / "warehouse", "SELECT count(*) FROM spans").item() < spans
    event = run_select(
        home / "warehouse", 'SELECT kind, headline, topic, "offset" < end_offset FROM operational_events'
    ).row(0)
    assert event[0] == "rows_lost" and file.name in event[1] and event[2] and event[3]
    assert plumbline(home, "doctor", "--repair") == 0


def test_a_name_in_the_catalog_does_not_drive_the_terminal(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    work_on(home / "warehouse", "hostile")
    file = min((home / "warehouse/data/main/spans").rglob("*.parquet"))
    for each in file.parent.glob("*.parquet"):
        each.unlink()
    capfd.readouterr()
    assert plumbline(home, "doctor", "--repair") == 1
    said = capfd.readouterr().out
    assert "\x1b" not in said and "[bold]" in said, "shown as the text it is"

"""`plumbline backup` and `restore` on a home with a stream's rows and a checkpoint."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.lease import Lease
from tests.pipelines.dead_letters.test_replay import unreadable


def plumbline(home: Path, *arguments: str) -> int:
    return main(["--home", str(home), *arguments])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    lines = tmp_path / "lines.jsonl"
    lines.write_bytes(unreadable(1) + b"\n")
    home = tmp_path / "home"
    assert plumbline(home, "stream", "--source", "files", "--files", str(lines), "--until-end") == 0
    return home


def test_a_home_comes_back_with_its_checkpoint_and_goes_on(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path / "kept"
    assert plumbline(home, "backup", str(kept)) == 0
    assert re.search(r"backup \d{8}T\d{9}Z: snapshot \d+, \d+ spans, \d+ files?, ", capfd.readouterr().out)
    checkpoint = (home / "checkpoints/detectors.zip").read_bytes()
    assert plumbline(home, "restore", str(kept)) == 1
    assert "there is a warehouse already" in capfd.readouterr().err
    shutil.move(home, tmp_path / "broken")
    assert plumbline(home, "restore", str(kept), "--check") == 0
    assert "every checksum holds" in capfd.readouterr().out
    assert plumbline(home, "restore", str(kept)) == 0
    assert (home / "checkpoints/detectors.zip").read_bytes() == checkpoint
    capfd.readouterr()
    # The messages were consumed before the backup: none is read twice.
    command = [sys.executable, "-m", "pipelines", "--home", str(home), "stream", "--source", "files"]
    again = subprocess.run(
        [*command, "--files", str(tmp_path / "lines.jsonl"), "--until-end"], capture_output=True, text=True, check=True
    )
    assert "0 messages" in again.stderr + again.stdout


def test_a_worker_on_the_home_keeps_a_restore_away(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert plumbline(home, "backup", str(tmp_path / "kept")) == 0
    shutil.move(home / "warehouse", tmp_path / "broken")
    worker = Lease(home / "detection.lock")
    assert worker.take()
    assert plumbline(home, "restore", str(tmp_path / "kept")) == 1
    assert "stop every `plumbline stream` first" in capfd.readouterr().err
    assert not (home / "warehouse").exists()
    worker.release()
    assert plumbline(home, "restore", str(tmp_path / "kept")) == 0


def test_a_damaged_backup_is_named_and_what_is_left_of_it_can_be_had(
    home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from tests.warehouse.dying import work_on

    work_on(home / "warehouse", "compact")  # small rows wait in the catalog until then
    kept = tmp_path / "kept"
    assert plumbline(home, "backup", str(kept)) == 0
    file = min((kept / "data").rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-1])
    shutil.move(home / "warehouse", tmp_path / "broken")
    capfd.readouterr()
    assert plumbline(home, "restore", str(kept), "--check") == 1
    assert f"damaged: {file.relative_to(kept / 'data').as_posix()}" in capfd.readouterr().out
    assert plumbline(home, "restore", str(kept)) == 1
    assert not (home / "warehouse").exists()
    assert plumbline(home, "restore", str(kept), "--without-damaged") == 0
    assert f"left out: {file.relative_to(kept / 'data').as_posix()}" in capfd.readouterr().err


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_without_a_directory_it_asks_for_one(home: Path, command: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert plumbline(home, command) == 1
    assert "no director" in capfd.readouterr().err

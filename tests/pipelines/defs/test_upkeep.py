"""The jobs `compaction` and `backup`: each step says what it did, and goes by the settings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipelines.definitions import defs
from pipelines.defs import schedules
from tests.pipelines.defs.conftest import RUNS
from warehouse import run_select
from warehouse.upkeep import manifest


def run(job: str, home: Path) -> tuple[dg.ExecuteInProcessResult, dict[str, dict[str, Any]]]:
    """The result of a job on a home, and each step's metadata."""
    config: dict[str, Any] = {"resources": {"lakehouse": {"config": {"home": str(home), "threads": 1}}}}
    if job == "backup":
        config = {"ops": {"back_up": {"config": {"home": str(home)}}}}
    result = defs.resolve_job_def(job).execute_in_process(
        instance=dg.DagsterInstance.ephemeral(), run_config=config, raise_on_error=False
    )
    found = {
        event.node_name: {name: value.value for name, value in event.step_output_data.metadata.items()}
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.STEP_OUTPUT
    }
    return result, found


COMPACTION = """
import json, sys
from pathlib import Path
from tests.pipelines.defs.test_upkeep import run
result, found = run("compaction", Path(sys.argv[1]))
print(json.dumps([result.success, found]))
"""


def test_compaction_is_three_steps_and_snapshots_are_kept_as_the_settings_say(home: Path) -> None:
    def compact(days: str) -> dict[str, dict[str, Any]]:
        # In a process of its own: a process that has had another lake must not flush one.
        done = subprocess.run(
            [sys.executable, "-c", COMPACTION, str(home)],
            env={**os.environ, "PLUMBLINE_SNAPSHOT_DAYS": days},
            capture_output=True,
            text=True,
            check=True,
        )
        success, found = json.loads(done.stdout.splitlines()[-1])
        assert success, done.stderr
        return found

    found = compact("1")
    assert list(found) == ["expire_snapshots", "merge_files", "clean_up_files"]
    assert found["expire_snapshots"] == {"snapshots_expired": 0}
    assert found["merge_files"]["rows_flushed"] > 0
    assert found["clean_up_files"] == {"files_deleted": 0, "orphans_deleted": 0}
    assert run_select(home / "warehouse", "SELECT count(*) FROM spans").item() == 3 * RUNS


def test_a_backup_goes_where_the_settings_say(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result, _ = run("backup", home)
    assert not result.success, "nobody said where"
    monkeypatch.setenv("PLUMBLINE_BACKUP_DIRECTORY", str(tmp_path / "kept"))
    monkeypatch.setenv("PLUMBLINE_BACKUPS_KEPT", "1")
    result, _ = run("backup", home)
    assert result.success
    result, found = run("backup", home)
    assert result.success
    (name,) = manifest.names(tmp_path / "kept")
    assert found["back_up"]["backup"] == name
    assert (
        manifest.read(tmp_path / "kept").rows["spans"]
        == run_select(home / "warehouse", "SELECT count(*) FROM spans").item()
    )


def test_the_schedule_asks_for_a_backup_only_where_there_is_a_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = schedules.backup_daily(dg.build_schedule_context())
    assert isinstance(asked, dg.SkipReason)
    monkeypatch.setenv("PLUMBLINE_BACKUP_DIRECTORY", str(tmp_path / "kept"))
    assert isinstance(schedules.backup_daily(dg.build_schedule_context()), dg.RunRequest)

"""The retention job deletes what the settings say, and the next refresh keeps what the marts stated."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from pipelines.definitions import defs
from pipelines.defs.refresh import refresh
from tests.pipelines.defs.conftest import RUNS, run_spans, store
from warehouse import run_select


def retain(home: Path) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def("retention").execute_in_process(
        instance=dg.DagsterInstance.ephemeral(),
        run_config={"resources": {"lakehouse": {"config": {"home": str(home), "threads": 1}}}},
        raise_on_error=False,
    )


@pytest.mark.slow
def test_the_job_deletes_by_the_settings_and_the_next_refresh_is_sound(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(home)
    daily = "SELECT * FROM cost_per_outcome_daily ORDER BY ALL"
    before = run_select(home / "warehouse", daily)
    result = retain(home)  # nothing is set: nothing goes
    assert result.success
    assert run_select(home / "warehouse", "SELECT count(DISTINCT run_id) FROM spans").item() == RUNS
    monkeypatch.setenv("PLUMBLINE_RETENTION_DAYS", "spans=30, outcomes=30")
    result = retain(home)  # the fixture's spans are of 2025
    assert result.success
    (metadata,) = [
        event.step_output_data.metadata
        for event in result.all_events
        if event.is_successful_output and event.step_key == "delete_old_rows"
    ]
    assert {name: value.value for name, value in metadata.items()} == {"spans": 3 * RUNS, "outcomes": RUNS - 1}
    # Of a run of an expired day more may come: it counts no second time.
    late = [{**row, "started_at": row["started_at"] + timedelta(minutes=5)} for row in run_spans(0)]
    store(home, "spans", late)
    again = refresh(home)
    assert again.failed_checks == ()
    assert again.rows["runs"] == RUNS
    assert run_select(home / "warehouse", daily).equals(before)


def test_rows_that_no_refresh_has_counted_fail_the_job_in_one_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBLINE_RETENTION_DAYS", "spans=30")
    result = retain(home)
    assert not result.success
    failures = {event.step_key: event.step_failure_data for event in result.all_events if event.is_step_failure}
    assert list(failures) == ["delete_old_rows"]
    failure = failures["delete_old_rows"]
    assert failure is not None and failure.error is not None
    assert "run `plumbline refresh` first" in failure.error.message
    assert run_select(home / "warehouse", "SELECT count(DISTINCT run_id) FROM spans").item() == RUNS

"""A refresh builds every mart as its SQL says, records itself for Dagster's UI, and stops where a check fails."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.budgets import TABLE as BUDGETS
from pipelines.comparisons import TABLE as COMPARISONS
from pipelines.definitions import defs
from pipelines.defs.home import CONFIGURATION, dagster_home
from pipelines.defs.refresh import GATES, RefreshResult, refresh
from pipelines.errors import TerminalError
from tests.pipelines.defs.conftest import HOSTILE, RUNS, outcome, run_spans, span, store
from warehouse import Warehouse, incremental, marts, run_select
from warehouse.connection import limits_of_refresh


def rows_of(home: Path, query: str) -> pl.DataFrame:
    return run_select(home / "warehouse", query)


def test_a_refresh_builds_every_mart_in_order_and_again_the_same(
    refreshed: tuple[Path, RefreshResult], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    home, first = refreshed
    assert sorted(first.rows) == sorted([*marts.names(), BUDGETS, COMPARISONS])
    order = [name for name in first.rows if name not in (BUDGETS, COMPARISONS)]
    assert list(first.rows).index("runs") < min(list(first.rows).index(name) for name in (BUDGETS, COMPARISONS))
    for place, name in enumerate(order):
        assert marts.upstream(name) & set(order) <= set(order[:place]), name
    assert first.failed_checks == ()
    assert first.rows == {name: rows_of(home, f'SELECT count(*) FROM "{name}"').item() for name in first.rows}
    assert (first.rows["runs"], first.rows["model_calls"], first.rows["tool_calls"]) == (RUNS, RUNS, RUNS)
    before = rows_of(home, "SELECT * FROM cost_per_outcome_by_model ORDER BY ALL")

    again = Path(shutil.copytree(home, tmp_path / "again"))
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    second = refresh(again)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers, "the caller's own"
    assert second.rows == first.rows
    assert second.run_id != first.run_id
    assert rows_of(again, "SELECT * FROM cost_per_outcome_by_model ORDER BY ALL").equals(before)
    assert capfd.readouterr() == ("", ""), "Dagster's messages stay in its own log"


def test_the_run_is_in_the_instance_that_the_ui_reads(refreshed: tuple[Path, RefreshResult]) -> None:
    home, result = refreshed
    with dg.DagsterInstance.from_config(str(dagster_home(home))) as instance:
        run = instance.get_run_by_id(result.run_id)
        event = instance.get_latest_materialization_event(dg.AssetKey("runs"))
    assert run is not None
    assert (run.job_name, run.status) == ("refresh", dg.DagsterRunStatus.SUCCESS)
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert metadata["dagster/row_count"].value == RUNS
    schema = metadata["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    assert {column.name: column.type for column in schema.columns}["cost_usd"] == "DOUBLE"
    assert all(column.description for column in schema.columns)


def test_text_from_traces_stays_text(refreshed: tuple[Path, RefreshResult]) -> None:
    home, result = refreshed
    assert result.failed_checks == ()
    assert rows_of(home, "SELECT run_id, workflow, model FROM runs WHERE run_id LIKE '%DROP%'").row(0) == (HOSTILE,) * 3
    assert rows_of(home, "SELECT count(*) FROM spans").item() == 3 * RUNS


@pytest.mark.slow
def test_a_failed_check_keeps_the_marts_behind_it_as_they_were(
    refreshed: tuple[Path, RefreshResult], tmp_path: Path
) -> None:
    home = Path(shutil.copytree(refreshed[0], tmp_path / "home"))
    first = {"event_clock", "runs"}
    everything = {name: f'SELECT * FROM "{name}" ORDER BY ALL' for name in marts.names() if name not in first}
    before = {name: rows_of(home, query) for name, query in everything.items()}
    refund = {"cost_usd": -5.0, "input_tokens": 1, "output_tokens": 1}
    store(home, "spans", [*run_spans(RUNS), span(RUNS, 3, "model", **refund)])
    store(home, "outcomes", [outcome(RUNS)])

    failed = refresh(home)
    assert set(failed.rows) == first, "all others depend on runs"
    (message,) = failed.failed_checks
    assert message.startswith("runs.runs_are_sound: 1 of ")
    assert "cost_usd is 0 or more, where known (1 of 1 rows break it)" in message, "the others passed before"
    page = (home / "checks" / "runs_are_sound.html").read_text(encoding="utf-8")
    assert "runs_are_sound: failed" in page and f"{RUNS:032x}: -4.99" in page
    assert HOSTILE not in page and "<script" not in page
    for name, query in everything.items():
        assert rows_of(home, query).equals(before[name]), name


def opening(home: Path) -> Callable[[], Warehouse]:
    """As the command opens a home's warehouse."""
    return lambda: Warehouse.open(home / "warehouse", limits=limits_of_refresh())


def test_marts_built_ahead_of_their_steps_are_those_of_a_whole_refresh_and_recorded_alike(
    refreshed: tuple[Path, RefreshResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "MOST", 2.0)  # a part is never too much of so few runs
    home = Path(shutil.copytree(refreshed[0], tmp_path / "home"))
    store(home, "spans", [row for run in (RUNS, RUNS + 1) for row in run_spans(run)])
    store(home, "outcomes", [outcome(RUNS)])
    whole = Path(shutil.copytree(home, tmp_path / "whole"))
    ahead, alone = refresh(home, open_warehouse=opening(home)), refresh(whole, whole=True)

    assert (ahead.failed_checks, ahead.rows) == ((), alone.rows)
    for name in alone.rows:
        query = f'SELECT * FROM "{name}" ORDER BY ALL' if name in marts.names() else f'SELECT count(*) FROM "{name}"'
        assert_frame_equal(rows_of(home, query), rows_of(whole, query))
    steps = []
    for each, result in ((home, ahead), (whole, alone)):
        with dg.DagsterInstance.from_config(str(dagster_home(each))) as instance:
            steps.append({step.step_key: step.status for step in instance.get_run_step_stats(result.run_id)})
            event = instance.get_latest_materialization_event(dg.AssetKey("runs"))
            assert event is not None
            assert event.asset_materialization is not None
            assert float(str(event.asset_materialization.metadata["plumbline/build_seconds"].value)) > 0
    assert steps[0] == steps[1]


def test_a_failed_check_holds_back_marts_that_are_built_ahead(
    refreshed: tuple[Path, RefreshResult], tmp_path: Path
) -> None:
    home = Path(shutil.copytree(refreshed[0], tmp_path / "home"))
    calls = rows_of(home, "SELECT * FROM model_calls ORDER BY ALL")
    refund = {"cost_usd": -5.0, "input_tokens": 1, "output_tokens": 1}
    store(home, "spans", [*run_spans(RUNS), span(RUNS, 3, "model", **refund)])
    failed = refresh(home, open_warehouse=opening(home))
    assert set(failed.rows) == {"event_clock", "runs"}
    assert [message.partition(":")[0] for message in failed.failed_checks] == ["runs.runs_are_sound"]
    assert rows_of(home, "SELECT * FROM model_calls ORDER BY ALL").equals(calls)


def test_marts_wait_for_every_check_that_blocks() -> None:
    blocking = {
        spec.asset_key.to_user_string(): spec.name
        for check in defs.resolve_asset_graph().asset_check_keys
        if (spec := defs.resolve_asset_graph().get_check_spec(check)).blocking
    }
    assert blocking == GATES


def test_a_mart_that_cannot_be_built_is_one_clear_line(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(warehouse: Warehouse, name: str, *, whole: bool) -> marts.Built:
        raise ValueError(f"no room\nfor {name}")

    monkeypatch.setattr(marts, "build", fail)
    with pytest.raises(TerminalError) as raised:
        refresh(home)
    assert str(raised.value) == f"event_clock failed ({home / 'dagster'}): no room for event_clock"


def test_the_command_on_an_empty_warehouse_says_rows_and_nothing_else_and_writes_below_the_home_alone(
    tmp_path: Path,
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    Warehouse.open(home / "warehouse").close()
    elsewhere.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "--home", str(home), "refresh"],
        cwd=elsewhere,
        env={**os.environ, "HOME": str(elsewhere), "PYTHONPATH": str(CONFIGURATION.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == sorted(
        f"{name}: {'1 row' if name == 'event_clock' else '0 rows'}" for name in (*marts.names(), BUDGETS, COMPARISONS)
    )
    assert list(elsewhere.iterdir()) == []

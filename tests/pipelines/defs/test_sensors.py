"""The sensor asks for one refresh after new facts, and for none when only marts were built."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg

from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.refresh import RefreshResult
from pipelines.defs.sensors import FACTS, new_facts
from tests.pipelines.defs.conftest import RUNS, outcome, run_spans, store
from warehouse import marts


def look(home: Path, cursor: str | None, *under_way: dg.DagsterRun) -> dg.SensorResult | dg.SkipReason:
    resources = {"lakehouse": Lakehouse(home=str(home))}
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context,
    ):
        for run in under_way:
            instance.add_run(run)
        found = new_facts(context)
    assert isinstance(found, (dg.SensorResult, dg.SkipReason))
    return found


def test_new_spans_and_late_outcomes_ask_for_one_refresh_each(
    refreshed: tuple[Path, RefreshResult], tmp_path: Path
) -> None:
    home = Path(shutil.copytree(refreshed[0], tmp_path / "home"))
    first = look(home, None)
    assert isinstance(first, dg.SensorResult) and first.cursor is not None
    assert isinstance(look(home, first.cursor), dg.SkipReason), "the marts of the refresh are no facts"
    store(home, "spans", run_spans(RUNS))
    second = look(home, first.cursor)
    assert isinstance(second, dg.SensorResult)
    assert [request.tags["plumbline/new"] for request in second.run_requests or []] == ["spans"]
    store(home, "outcomes", [outcome(RUNS)])
    third = look(home, second.cursor)
    assert isinstance(third, dg.SensorResult)
    assert [request.tags["plumbline/new"] for request in third.run_requests or []] == ["outcomes"]
    keys = {request.run_key for found in (first, second, third) for request in found.run_requests or []}
    assert len(keys) == 3
    assert isinstance(look(home, third.cursor), dg.SkipReason)


def test_a_refresh_under_way_is_not_followed_by_another_before_it_ends(
    refreshed: tuple[Path, RefreshResult],
) -> None:
    run = dg.DagsterRun("refresh", status=dg.DagsterRunStatus.STARTED)
    found = look(refreshed[0], None, run)
    assert isinstance(found, dg.SkipReason) and "under way" in str(found.skip_message)
    ended = dg.DagsterRun("refresh", status=dg.DagsterRunStatus.SUCCESS)
    assert isinstance(look(refreshed[0], None, ended), dg.SensorResult)


def test_what_a_refresh_writes_itself_is_no_new_fact() -> None:
    assert {"spans", "outcomes", "catalog_workflows", "approvals", "drills"} <= FACTS
    assert not FACTS & {*marts.names(), "check_results", "budgets_monthly", "budget_events", "release_comparisons"}


def test_a_home_without_a_warehouse_is_left_alone(tmp_path: Path) -> None:
    assert isinstance(look(tmp_path, None), dg.SkipReason)
    assert not (tmp_path / "warehouse").exists(), "a look makes none"

"""Dagster knows which days of a mart were computed, when, and no others; days can be computed again by themselves."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from pipelines.cli import main
from pipelines.defs.assets import DAYS
from pipelines.defs.home import dagster_home
from pipelines.defs.refresh import RefreshResult, refresh
from pipelines.defs.retention import prune
from tests.pipelines.defs.conftest import START, outcome, run_spans, store
from warehouse import Warehouse, incremental, marts, run_select

#: The day of all runs of the fixture, and one after them.
DAY, LATER = START.date(), START.date() + timedelta(days=4)


def records(home: Path, name: str, run_id: str | None = None) -> list[tuple[str | None, object]]:
    """Day and row count of each record of a mart, the latest last: None is of all of it."""
    with dg.DagsterInstance.from_config(str(dagster_home(home))) as instance:
        found = instance.fetch_materializations(dg.AssetKey(name), limit=1000, ascending=True).records
    return [
        (record.partition_key, record.asset_materialization.metadata["dagster/row_count"].value)
        for record in found
        if record.asset_materialization and run_id in (None, record.run_id)
    ]


def rows_of(home: Path, name: str) -> Mapping[str, int]:
    rows = run_select(home / "warehouse", f'SELECT date, count(*) FROM "{name}" GROUP BY date ORDER BY date').rows()
    return {f"{day}": count for day, count in rows}


@pytest.fixture
def again(refreshed: tuple[Path, RefreshResult], tmp_path: Path) -> Path:
    return Path(shutil.copytree(refreshed[0], tmp_path / "again"))


@pytest.mark.slow
def test_a_refresh_records_the_days_that_it_computed_and_no_others(
    again: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "MOST", 1.0)
    first = {name: rows_of(again, name) for name in marts.by_day()}
    for name, days in first.items():
        assert records(again, name) == [*days.items(), (None, sum(days.values()))]
    # 100 hours later: by then no outcome of the runs before is awaited any more.
    store(again, "spans", run_spans(100))
    store(again, "outcomes", [outcome(100)])
    refresh(again)
    store(again, "spans", run_spans(101))
    store(again, "outcomes", [outcome(101)])
    last = refresh(again)
    for name in marts.by_day():
        days = rows_of(again, name)
        recorded = records(again, name, last.run_id)
        if f"{LATER}" in days:
            assert recorded == [(f"{LATER}", days[f"{LATER}"]), (None, sum(days.values()))]
        # Nothing was decided by a policy that day, and no tool called in another way: such a mart has no row of it.
        assert name in {"policy_events_hourly", "tool_variants_daily", "effects_by_day"} or f"{LATER}" in days, name
        assert {day for day, _ in recorded} <= {f"{LATER}", None}, name
    assert f"{LATER}" in rows_of(again, "cost_by_day")
    nothing = refresh(again)
    assert records(again, "versions_daily", nothing.run_id)[-1] == (
        None,
        sum(rows_of(again, "versions_daily").values()),
    )


def test_a_backfill_computes_its_days_and_what_depends_on_them(again: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Warehouse.open(again / "warehouse") as warehouse:
        warehouse.transaction(lambda c: c.execute("UPDATE cost_by_day SET runs = 99 WHERE workflow = 'workflow-0'"))
    status = main(
        ["--home", str(again), "backfill", "marts", "--since", f"{DAY}", "--until", f"{DAY + timedelta(days=1)}"]
    )
    printed = capfd.readouterr()
    assert (status, printed.err) == (0, "")
    of_the_day = rows_of(again, "cost_by_day")[f"{DAY}"]
    assert f"cost_by_day: {of_the_day} rows" in printed.out.splitlines()
    assert any(line.startswith("scorecard_daily: ") for line in printed.out.splitlines())
    assert not any(line.startswith(("runs:", "event_clock:")) for line in printed.out.splitlines())
    assert run_select(again / "warehouse", "SELECT count(*) FROM cost_by_day WHERE runs = 99").item() == 0
    with dg.DagsterInstance.from_config(str(dagster_home(again))) as instance:
        run = instance.get_runs(limit=1)[0]
        days = instance.get_materialized_partitions(dg.AssetKey("cost_by_day"))
    assert (run.job_name, run.status) == ("backfill", dg.DagsterRunStatus.SUCCESS)
    assert records(again, "cost_by_day", run.run_id) == [(f"{DAY}", of_the_day), (f"{DAY + timedelta(days=1)}", 0)]
    assert days == {f"{DAY}", f"{DAY + timedelta(days=1)}"}


def test_a_failed_check_holds_a_backfill_too(again: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Warehouse.open(again / "warehouse") as warehouse:
        warehouse.transaction(
            lambda c: c.execute("INSERT INTO cost_by_day SELECT * REPLACE (date + 1 AS date) FROM cost_by_day")
        )
    assert main(["--home", str(again), "backfill", "marts", "--since", f"{DAY}", "--until", f"{DAY}"]) == 1
    assert "cost_by_day.cost_agrees_with_runs" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "soon"], "no day 'soon' (--since): write it as 2026-09-01"),
        (["--since", "2025-08-04", "--until", "2025-13-01"], "no day '2025-13-01' (--until): write it as 2026-09-01"),
        (["--since", "2025-08-04", "--until", "2025-08-03"], "no days from 2025-08-04 to 2025-08-03"),
        (["--since", "1999-01-01"], "1999-01-01 is too early (--since): days begin at 2015-01-01"),
        (["--since", "2025-08-04", "--until", "2999-01-01"], "2999-01-01 is to come yet (--until)"),
    ],
)
def test_days_that_are_none_are_one_clear_line(
    options: list[str], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(tmp_path), "backfill", "marts", *options]) != 0
    out, err = capfd.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert said in err


def test_a_backfill_before_a_refresh_says_what_is_missing(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(home), "backfill", "marts", "--since", f"{DAY}"]) != 0
    said = capfd.readouterr().err
    assert "there are no runs yet (backfill): run `plumbline refresh` first" in said


def test_retention_keeps_the_runs_that_hold_the_days(tmp_path: Path) -> None:
    @dg.asset(partitions_def=DAYS)
    def cost_by_day() -> None: ...

    key = cost_by_day.key
    with dg.DagsterInstance.from_config(str(dagster_home(tmp_path))) as instance:
        replaced, held, latest = (
            dg.materialize([cost_by_day], partition_key=f"{day}", instance=instance).run_id for day in (DAY, LATER, DAY)
        )
        assert prune(instance, keep=timedelta(0)) == 1
        assert {run.run_id for run in instance.get_runs()} == {held, latest}, f"{replaced} holds no day's last record"
        assert instance.get_materialized_partitions(key) == {f"{DAY}", f"{LATER}"}

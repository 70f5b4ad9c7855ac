"""Cost per outcome by week, month and part: the same money however it is cut."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.warehouse.fleet import NOW, Fleet, model_call, tool_call
from warehouse import Warehouse, marts

MARTS = (
    "event_clock",
    "runs",
    "model_calls",
    "tool_calls",
    "repeated_work",
    "cost_by_day",
    "cost_per_outcome",
    "cost_per_outcome_daily",
    "cost_per_outcome_weekly",
    "cost_per_outcome_monthly",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Warehouse]:
    home = tmp_path_factory.mktemp("costs") / "warehouse"
    shutil.copytree(template, home)
    it = Fleet()
    for number in range(60):
        outcome = ("success", "success", "failure", None)[number % 4]
        more = {"team": ("a", "b", None)[number % 3], "release": f"r{number % 2}"}
        call = model_call(None if number % 7 == 0 else 0.01 * (1 + number % 5), model=("m", "n")[number % 2])
        it.run(
            f"run-{number}", ("one", "two")[number % 2], call, at=NOW - timedelta(days=number), outcome=outcome, **more
        )
    repeats(it)
    renames(it)
    with Warehouse.open(home) as warehouse:
        it.store(warehouse)
        for name in MARTS:
            marts.build(warehouse, name)
        yield warehouse


def test_weeks_months_and_parts_add_up_to_the_same_money(built: Warehouse) -> None:
    whole = built.query(
        "SELECT count(*), sum(cost_usd), sum((outcome = 'success')::INTEGER) FILTER (NOT is_pending) FROM runs "
        "WHERE started_at IS NOT NULL"
    ).row(0)
    settled = built.query("SELECT sum(cost_usd) FROM runs WHERE NOT is_pending AND started_at IS NOT NULL").item()
    for fleet in (True, False):
        parts = built.query(
            'SELECT period, "by", sum(runs) AS runs, sum(cost_usd) AS cost_usd, sum(successes) AS successes '
            f"FROM cost_per_outcome WHERE (workflow = '(fleet)') = {fleet} GROUP BY ALL"
        )
        assert parts.height == 3 * 8
        for row in parts.iter_rows(named=True):
            assert (row["runs"], row["successes"]) == (whole[0], whole[2]), row
            assert row["cost_usd"] == pytest.approx(settled)
    for mart, period in (("weekly", "week"), ("monthly", "month")):
        rows = built.query(f"SELECT * FROM cost_per_outcome_{mart}")
        assert rows.height == built.query(f"SELECT count(*) FROM cost_per_outcome WHERE period = '{period}'").item() > 0
        assert built.query(f"SELECT bool_and(date = date_trunc('{period}', date)) FROM cost_per_outcome_{mart}").item()


def test_a_month_s_interval_is_fieller_s_over_all_its_runs(built: Warehouse) -> None:
    rows = built.query(
        "SELECT * FROM cost_per_outcome_monthly WHERE workflow = 'one' AND \"by\" = 'all' AND priced_runs > 5"
    )
    assert rows.height >= 1
    for row in rows.iter_rows(named=True):
        runs = built.query(
            "SELECT cost_usd, (outcome IS NOT DISTINCT FROM 'success')::INTEGER::DOUBLE AS success FROM runs "
            "WHERE workflow = 'one' AND NOT is_pending AND cost_usd IS NOT NULL AND date_trunc('month', started_at) = ?",
            [row["date"]],
        )
        costs, won = runs["cost_usd"].to_numpy(), runs["success"].to_numpy()
        assert len(costs) == row["priced_runs"]
        # Fieller: the values R for which cost - R * success has a mean within 1.96 standard errors of zero.
        for bound in (row["ci_low_usd"], row["ci_high_usd"]):
            difference = costs - bound * won
            assert abs(difference.mean()) / (difference.std(ddof=1) / math.sqrt(len(won))) == pytest.approx(1.96)
        assert row["failed_run_cost_usd"] == pytest.approx(costs[won == 0].sum())
        assert row["failed_run_cost_ratio"] == pytest.approx(costs[won == 0].sum() / costs.sum())


def repeats(it: Fleet) -> None:
    """Runs of model calls at a cent and tool calls at a tenth of a cent, days before the others."""
    it.add("catalog_tools", tool_name="look", cost_per_call_usd=0.001)
    it.add("catalog_workflows", workflow="quick", drift='{"rules":{"loop":{"calls":3}}}')
    failed, look = tool_call("look", status="error", duration_ms=1000.0), tool_call("look")
    same = [model_call(), tool_call("look", tool_arguments_shape="s")]
    other = [model_call(), tool_call("look", tool_arguments_shape="t")]
    for name, workflow, calls in (
        ("sound", "steady", [model_call(), look, model_call(), look]),
        ("retried", "steady", [model_call(), failed, model_call(), failed, model_call(), look, model_call()]),
        ("both-asked", "steady", [model_call(), failed, model_call(), look, tool_call("write")]),
        ("beside", "steady", [model_call(), {**failed, "duration_ms": 1001.0}, look, model_call()]),
        ("model", "steady", [model_call(0.02, status="error"), model_call(), model_call(0.02, "n", status="error")]),
        ("unpriced", "steady", [model_call(None), failed, model_call(), look]),
        ("looped", "quick", [*same, *same, *other, *same]),
        ("unlooped", "steady", [*same, *same, *other, *same]),
        ("shapeless", "quick", [model_call(), look, model_call(), look, model_call(), look]),
    ):
        it.run(name, workflow, *calls, at=NOW - timedelta(days=100), outcome="success")


def test_work_done_again_is_counted_with_the_calls_that_asked_for_it(built: Warehouse) -> None:
    found = built.query(
        "SELECT run_id, retried_tool_calls, retried_model_calls, looped_tool_calls, "
        "round(retry_cost_usd, 9), round(loop_cost_usd, 9) FROM repeated_work ORDER BY run_id"
    ).rows()
    assert found == [
        ("both-asked", 1, 0, 0, 0.001, 0.0),  # the model call asked for another tool as well
        ("looped", 0, 0, 2, 0.0, 0.022),  # three alike, the first one left out, each with its model call
        ("model", 0, 1, 0, 0.02, 0.0),  # the failed one that was made again; the last one was not
        ("retried", 2, 0, 0, 0.022, 0.0),
        ("unpriced", 1, 0, 0, None, None),
    ]
    days = built.query(
        "SELECT workflow, round(retry_cost_usd, 9), round(loop_cost_usd, 9), repeated_cost_ratio * cost_usd "
        "FROM cost_per_outcome_daily WHERE date = ? ORDER BY workflow",
        [(NOW - timedelta(days=100)).date()],
    ).rows()
    assert [row[:3] for row in days] == [("quick", 0.0, 0.022), ("steady", 0.043, 0.0)]
    assert all(row[3] == pytest.approx(row[1] + row[2]) for row in days)


def renames(it: Fleet) -> None:
    at = NOW - timedelta(days=110)
    it.add("catalog_workflows", workflow="renamed", formerly=["its-old-name", "unused"], escalation_cost_usd=2.0)
    it.run("before-renaming", "its-old-name", model_call(), at=at, outcome="escalated")
    it.run("after-renaming", "renamed", model_call(), at=at, outcome="success")
    # Nobody told the catalog of this one.
    it.run("before-unnoticed", "unnoticed-old", model_call(), at=at, outcome="success")
    it.run("after-unnoticed", "unnoticed-new", model_call(), at=at, outcome="success")


def test_runs_under_a_former_name_count_as_the_workflow_s(built: Warehouse) -> None:
    costs = built.query("SELECT run_id, round(cost_usd, 9) FROM runs WHERE workflow = 'renamed' ORDER BY run_id").rows()
    assert costs == [("after-renaming", 0.01), ("before-renaming", 2.01)], "the escalation at its catalog entry's cost"
    (row,) = built.query(
        "SELECT runs, cost_per_success_usd FROM cost_per_outcome_daily WHERE workflow = 'renamed'"
    ).rows()
    assert row == (2, pytest.approx(2.02))
    assert built.query("SELECT count(*) FROM model_calls WHERE workflow = 'its-old-name'").item() == 0


def test_a_renamed_workflow_of_which_the_catalog_says_nothing_is_a_new_one(built: Warehouse) -> None:
    rows = built.query(
        "SELECT workflow, runs, cost_per_success_usd FROM cost_per_outcome_daily "
        "WHERE workflow LIKE 'unnoticed-%' ORDER BY workflow"
    ).rows()
    assert rows == [("unnoticed-new", 1, pytest.approx(0.01)), ("unnoticed-old", 1, pytest.approx(0.01))]

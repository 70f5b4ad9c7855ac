"""The marts reproduce what the source of 351 real runs says of itself."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.warehouse.tau2 import TAU2, tau2_rows
from warehouse import Warehouse, marts

pytestmark = pytest.mark.skipif(not TAU2.is_dir(), reason=f"real traces are not here: {TAU2}")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    with Warehouse.open(tmp_path_factory.mktemp("tau2") / "warehouse") as warehouse:
        for table, frame in tau2_rows().items():
            warehouse.transaction(lambda c, table=table, frame=frame: warehouse.insert(c, table, frame))
        for name in marts.names():
            marts.build(warehouse, name)
        yield warehouse


EXPECTED = json.loads((TAU2 / "expected.json").read_text()) if TAU2.is_dir() else {"groups": []}


@pytest.mark.parametrize("group", EXPECTED["groups"], ids=lambda group: f"{group['workflow']}-{group['model'][:12]}")
def test_every_group_has_its_recorded_numbers(built: Warehouse, group: dict) -> None:
    row = built.query(
        "SELECT * FROM cost_per_outcome_by_model WHERE workflow = ? AND model = ?", [group["workflow"], group["model"]]
    ).row(0, named=True)
    same = (
        "runs",
        "successes",
        "priced_runs",
        "priced_successes",
        "input_tokens",
        "output_tokens",
        "tool_calls",
        "tool_errors",
    )
    assert {name: row[name] for name in same} == {name: group[name] for name in same}
    assert row["pending_runs"] == 0
    if group["priced_runs"]:
        assert row["cost_usd"] == pytest.approx(group["agent_cost_usd"], abs=1e-6)
        assert row["cost_per_success_usd"] == pytest.approx(group["cost_per_success_usd"], abs=1e-6)
        assert row["price_coverage_ratio"] == 1
    else:
        assert row["cost_usd"] is None, "unknown is null, never zero"
        assert row["cost_per_success_usd"] is None
        assert row["price_coverage_ratio"] == 0


def test_nothing_else_is_there(built: Warehouse) -> None:
    assert built.query("SELECT count(*) FROM cost_per_outcome_by_model").item() == len(EXPECTED["groups"])
    assert built.query("SELECT count(*) FROM runs").item() == EXPECTED["runs"]


def test_the_cost_per_success_over_the_priced_models(built: Warehouse) -> None:
    cost, successes = built.query("SELECT sum(cost_usd), sum(priced_successes) FROM cost_per_outcome_by_model").row(0)
    assert cost == pytest.approx(EXPECTED["priced_cost_usd"], abs=1e-6)
    assert successes == EXPECTED["priced_successes"]
    assert cost / float(successes) == pytest.approx(0.099716, abs=1e-6)


def test_the_days_add_up_to_the_whole(built: Warehouse) -> None:
    daily = built.query("SELECT sum(runs), sum(successes), sum(cost_usd) FROM cost_per_outcome_daily").row(0)
    assert (int(daily[0]), int(daily[1])) == (351, sum(group["successes"] for group in EXPECTED["groups"]))
    assert daily[2] == pytest.approx(EXPECTED["priced_cost_usd"], abs=1e-6)
    fleet = built.query("SELECT sum(runs), sum(cost_usd) FROM scorecard_daily WHERE workflow = '(fleet)'").row(0)
    assert (int(fleet[0]), fleet[1]) == (351, pytest.approx(EXPECTED["priced_cost_usd"], abs=1e-6))


def test_calls_keep_their_run_s_workflow(built: Warehouse) -> None:
    assert (
        built.query("SELECT count(*) FROM model_calls").item()
        == built.query("SELECT count(*) FROM spans WHERE kind = 'model'").item()
    )
    assert (
        built.query(
            "SELECT count(*) FROM tool_calls WHERE workflow NOT LIKE 'tau2-%' OR workflow LIKE '%-service'"
        ).item()
        == 0
    )

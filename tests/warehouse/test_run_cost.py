"""What a run costs is the sum of its own parts, whatever the catalog says of its workflow."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.warehouse.fleet import Fleet, model_call, tool_call
from warehouse import Warehouse, marts


def test_a_person_is_charged_only_to_the_runs_they_took_over(tmp_path: Path, template: Path) -> None:
    it = Fleet()
    it.run("handed", "desk", model_call(0.5), tool_call("paid"), outcome="escalated")
    it.run("kept", "desk", model_call(0.5), tool_call("paid"), outcome="success")
    it.add("catalog_tools", tool_name="paid", cost_per_call_usd=0.25)
    it.add("catalog_workflows", workflow="desk", escalation_cost_usd=4.5)
    home = tmp_path / "warehouse"
    shutil.copytree(template, home)
    with Warehouse.open(home) as warehouse:
        it.store(warehouse)
        for name in marts.names():
            marts.build(warehouse, name)
        found = warehouse.query("SELECT run_id, cost_usd FROM runs ORDER BY run_id").rows()
        daily = warehouse.query("SELECT cost_usd, cost_per_success_usd FROM cost_per_outcome_daily").rows()
    assert found == [("handed", pytest.approx(5.25)), ("kept", pytest.approx(0.75))]
    assert daily == [(pytest.approx(6.0), pytest.approx(6.0))]

"""Budgets of the catalog beside the runs of a warehouse: the table, the events once each, the command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.budgets import budgets_by_month, write_budgets
from pipelines.cli import main
from pipelines.commands.context import store_catalog
from pipelines.contracts.catalog import load_catalog
from warehouse import Warehouse

HOSTILE = "=cmd|' /C calc'!A0; DROP TABLE runs; --"
_CATALOG = """
version: 1
budgets: { teams: { payments: 500, nobody: 5 }, cost_centers: { cc-1: 400 } }
workflows:
  desk: { budget_usd_per_month: 300 }
  unpriced: { budget_usd_per_month: 10 }
"""
# Twenty days of September and the first two of October, ten runs a day at 2 dollars; every tenth has no price.
_RUNS = """
CREATE TABLE runs AS
SELECT
    printf('run-%05d', i) AS run_id,
    CASE WHEN i % 10 = 9 THEN 'unpriced' ELSE 'desk' END AS workflow,
    CASE WHEN i % 2 = 0 THEN 'payments' END AS team,
    'cc-1' AS cost_center,
    TIMESTAMP '2026-09-11' + (i // 10) * INTERVAL 1 DAY + (i % 10) * INTERVAL 1 HOUR AS started_at,
    CASE WHEN i % 10 <> 9 THEN 2.0 END AS cost_usd
FROM range(220) AS numbers (i)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(_CATALOG)
    with Warehouse.open(tmp_path / "warehouse") as warehouse:
        warehouse.connection.execute(_RUNS)
        store_catalog(warehouse, load_catalog(catalog).tables())
    return tmp_path


@pytest.fixture
def warehouse(home: Path) -> Iterator[Warehouse]:
    with Warehouse.open(home / "warehouse") as opened:
        yield opened


def test_each_budget_has_a_row_a_month_and_unknown_spend_is_null(warehouse: Warehouse) -> None:
    found = {(row["scope"], row["name"], row["month"].month): row for row in budgets_by_month(warehouse).to_dicts()}
    assert len(found) == 8, "of 'nobody' there is no run"
    september, october = found["workflow", "desk", 9], found["workflow", "desk", 10]
    assert (september["spent_usd"], september["coverage_ratio"]) == (360, 1)
    assert september["landing_usd"] == 360 and october["spent_usd"] == 36
    assert october["landing_usd"] == pytest.approx(18 * 31, rel=0.01)
    team = found["team", "payments", 9]
    assert (team["spent_usd"], team["used_ratio"], str(team["passed_50_on"])) == (200, 0.4, "None")
    center = found["cost_center", "cc-1", 9]
    assert center["coverage_ratio"] == 0.9 and str(center["passed_80_on"]) == "2026-09-28"
    unpriced = found["workflow", "unpriced", 9]
    assert unpriced["coverage_ratio"] == 0
    assert all(unpriced[name] is None for name in ("spent_usd", "used_ratio", "landing_usd", "burn_1d", "passed_50_on"))


def test_the_fleet_may_have_a_budget_which_all_runs_count_towards(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "catalog.yaml").write_text("budgets: { fleet: 1000 }\n")
    with Warehouse.open(home / "warehouse") as opened:
        store_catalog(opened, load_catalog(home / "catalog.yaml").tables())
        september, _ = budgets_by_month(opened).to_dicts()
        assert (september["scope"], september["name"], september["spent_usd"]) == ("fleet", "(fleet)", 360)
        assert (september["coverage_ratio"], september["used_ratio"]) == (0.9, 0.36)
    assert main(["--home", str(home), "budgets", "--month", "2026-09"]) == 0
    assert "without a budget: 200 runs of 'desk', 'unpriced'" in capsys.readouterr().out, "of their own"


def test_a_rung_is_noted_once_whatever_the_spend_becomes(warehouse: Warehouse) -> None:
    events = "SELECT name, rung, spent_usd FROM budget_events ORDER BY name, rung"
    assert write_budgets(warehouse) == 8
    first = warehouse.query(events).rows()
    assert first == [("cc-1", 0.5, 360), ("cc-1", 0.8, 360), ("desk", 0.5, 360), ("desk", 0.8, 360), ("desk", 1.0, 360)]
    warehouse.connection.execute("UPDATE runs SET cost_usd = 2.5 WHERE cost_usd IS NOT NULL")
    assert write_budgets(warehouse) == 8
    assert warehouse.query("SELECT count(*) FROM budgets_monthly").item() == 8
    assert [
        row for row in warehouse.query(events).rows() if row[:2] in {(name, rung) for name, rung, _ in first}
    ] == first
    assert ("payments", 0.5, 250) in warehouse.query(events).rows(), "what is passed since is told too"


def test_the_command_tells_of_the_month_under_way_or_of_the_one_asked_for(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--home", str(home), "budgets", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["month"] for row in rows} == {"2026-10-01"} and len(rows) == 4
    assert main(["--home", str(home), "budgets", "--month", "2026-09"]) == 0
    shown = capsys.readouterr().out
    assert "$360.00" in shown and "120%" in shown
    assert "no run counts towards the budget of team 'nobody': is it its name in the traces?" in shown
    assert "without a budget" not in shown, "the cost center has one"
    with Warehouse.open(home / "warehouse") as opened:
        opened.connection.execute("DELETE FROM catalog_budgets WHERE name IN ('cc-1', 'unpriced')")
    assert main(["--home", str(home), "budgets", "--month", "2026-09"]) == 0
    shown = capsys.readouterr().out
    assert "without a budget: 20 runs of 'unpriced', – where their cost is known" in shown
    assert main(["--home", str(home), "budgets", "--month", HOSTILE]) == 1
    assert "use one of 2026-09, 2026-10" in capsys.readouterr().err


def test_budgets_that_nothing_is_spent_of_are_named_even_if_they_are_all(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Warehouse.open(home / "warehouse") as opened:
        opened.connection.execute("DELETE FROM catalog_budgets WHERE name <> 'nobody'")
    assert main(["--home", str(home), "budgets"]) == 1
    assert "no run counts towards the budget of team 'nobody'" in capsys.readouterr().err
    with Warehouse.open(home / "warehouse") as opened:
        opened.connection.execute("DELETE FROM catalog_budgets")
    assert main(["--home", str(home), "budgets"]) == 1
    assert "the catalog has no budget" in capsys.readouterr().err

"""A viewer of several teams has totals over their workflows: of numerators and denominators, and of nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
from polars.testing import assert_frame_equal

from dashboards.access.readers import Readers
from dashboards.access.viewer import Role, Viewer
from dashboards.app import Pages, render
from dashboards.data import Reader
from dashboards.export import Writer
from dashboards.filters import Filters
from warehouse import Warehouse, marts

FIGURES = "SELECT * EXCLUDE (is_within_budget) FROM scorecard_daily WHERE workflow = '(fleet)' ORDER BY date"


def viewer(*teams: str) -> Viewer:
    return Viewer("ada", Role.VIEWER, frozenset(teams))


def test_the_total_of_several_teams_is_the_fleets_where_they_are_all_and_theirs_where_they_are_not(
    streamed_home: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(streamed_home / "warehouse", home / "warehouse")
    with Warehouse.open(home / "warehouse") as warehouse:
        warehouse.transaction(_with_incidents_and_rollbacks)
        for name in marts.names():
            marts.build(warehouse, name)
        fleet = warehouse.query(FIGURES)
        owners = dict(warehouse.query("SELECT workflow, any_value(team) FROM runs GROUP BY workflow").rows())
    assert fleet["minutes_to_diagnose"].is_not_null().any() and fleet["minutes_to_rollback"].is_not_null().any()
    teams = sorted(set(owners.values()))
    everybody = Readers(home).reader_for(viewer(*teams))
    assert_frame_equal(everybody._open().query(FIGURES), fleet, rel_tol=1e-9)

    some = Readers(home).reader_for(viewer(*teams[:2]))._open()
    mine = [name for name, team in owners.items() if team in teams[:2]]
    assert 0 < len(mine) < len(owners)
    # The mart itself, where the others' rows are no more.
    with Warehouse.open(home / "warehouse") as warehouse:

        def only_mine(connection: duckdb.DuckDBPyConnection) -> None:
            for table in ("cost_by_day", "governance_by_day", "incidents", "versions_daily", "reuse_daily", "runs"):
                connection.execute(f'DELETE FROM "{table}" WHERE NOT list_contains(?, workflow)', [mine])
            for table in ("reliability_contract_daily", "rollback_readiness_daily"):
                connection.execute(f'DELETE FROM "{table}" WHERE NOT list_contains(?, workflow)', [mine])

        told = some.query(FIGURES)
        warehouse.transaction(only_mine)
        marts.build(warehouse, "scorecard_daily", whole=True)
        rows = warehouse.query(FIGURES)
    exact = [
        name
        for name in fleet.columns
        if name not in ("team", "reuse_ratio", "contract_kept_ratio", "contract_broken", "containment_ratio")
    ]
    assert_frame_equal(told.select(exact), rows.select(exact), rel_tol=1e-9, check_dtypes=False)
    assert (told["runs"] < fleet["runs"]).all()


def _with_incidents_and_rollbacks(connection: duckdb.DuckDBPyConnection) -> None:
    """An incident of each workflow, judged after as many hours as it has letters, and rollbacks of half of them."""
    connection.execute(
        """
        CREATE TEMP TABLE first_runs AS
        SELECT workflow, min(started_at) AS started_at, min(run_id) AS run_id, length(workflow) AS n FROM runs GROUP BY workflow;
        INSERT INTO incidents BY NAME
        SELECT
            workflow AS incident_id, workflow, 'tool' AS family, 'resolved' AS state, started_at AS opened_at,
            started_at AS last_signal_at
        FROM first_runs;
        INSERT INTO signals BY NAME
        SELECT
            workflow AS signal_id, workflow AS incident_id, workflow, 'tool' AS family, started_at AS "at",
            started_at AS created_at
        FROM first_runs;
        INSERT INTO acknowledgements BY NAME
        SELECT workflow AS acknowledgement_id, workflow AS incident_id, 'real' AS judgement, started_at + to_hours(n) AS stated_at
        FROM first_runs;
        INSERT INTO rollbacks BY NAME
        SELECT
            run_id AS trace_id, run_id AS span_id, run_id, workflow, started_at AS "at",
            started_at + to_minutes(n) AS completed_at, 'completed' AS status, FALSE AS drill
        FROM first_runs;
        DROP TABLE first_runs;
        """
    )


def test_a_viewer_of_several_teams_reads_whose_total_it_is(streamed_home: Path) -> None:
    reader = Readers(streamed_home).reader_for(viewer("claims-operations", "growth-platform"))
    page = Writer().html(render(Pages(reader), "/", Filters()))
    assert "All workflows of your teams claims-operations, growth-platform" in page
    whole = Writer().html(render(Pages(Reader(streamed_home)), "/", Filters()))
    assert "your team" not in whole

"""The reader: how far the data are, what a view holds, and that the real marts have every column it needs."""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dashboards.data import QUERIES, Reader, State
from dashboards.filters import Filters
from pipelines.comparisons import write_comparisons
from tests.dashboards.fleet import DRIFTS, WORKFLOWS
from warehouse import Warehouse, WarehouseError, marts, read_only


def build_all(warehouse: Warehouse) -> None:
    for name in marts.names():
        marts.build(warehouse, name)


@pytest.fixture(scope="module")
def real_marts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home whose marts are the real ones, built on an empty warehouse."""
    home = tmp_path_factory.mktemp("real")
    with Warehouse.open(home / "warehouse") as warehouse:
        build_all(warehouse)
        marts.put_live_views(warehouse)
    return home


def test_the_real_marts_have_the_columns_that_the_fleet_writes(home: Path, real_marts: Path) -> None:
    sql = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE database_name = 'lake'"
    with read_only(home / "warehouse") as ours, read_only(real_marts / "warehouse") as theirs:
        written, real = set(ours.query(sql).rows()), set(theirs.query(sql).rows())
    mart_columns = {(table, column) for table, column, _ in written if table in marts.names()}
    assert len(mart_columns) > 30
    assert mart_columns <= {(table, column) for table, column, _ in real}


def test_every_query_runs_on_the_real_marts(real_marts: Path) -> None:
    reader = Reader(real_marts)
    now = pl.Series([0]).cast(pl.Datetime("us"))[0]
    span = [now] * 4
    params = {
        "cohorts": [*span, None, None, 3600, None, None],
        "reuse": [*span, None],
        "rollback": [None],
        "incidents": [now, None],
        "signals": [["x"]],
        "judgements": [["x"]],
        "changes": ["x", 5],
        "streamed": [now],
        "release_comparisons": [None],
        "model_usage": [*span, None, None, None, None],
        "spend_by_day": [None] * 4,
        "budgets": [None, None],
        "chargeback": [now, now, None, None, None, None, "team"],
        "dearest_runs": [now, now, "w", None, None, None, 5],
        "control": [*span, None, None],
        "contract": [None],
        "lacking": [None],
        "releases": [None],
        "run_values": ["w", now, now, 600, "steps_per_run"],
        "tool_values": ["w", now, now, 600, "t"],
        "policy_values": ["w", now, now, 600, "outdated_policy"],
        "component_uses": [now, now, None],
        "clones": [None],
        "rollback_days": [now, now, None],
        "drills": [None],
        "runs_found": [now, now, *[None] * 9, None, None, 50],
        "runs_marked": [now, now, *[None] * 9, None, None, 50, []],
        "runs_newest": [now, now, *[None] * 6, 50],
        "runs_listed": [["x"], now, now],
        "changes_since": [0, 1],
        "run_spans": ["x", 5],
        "delivery_log": ["x", 5],
        "tool_calls": [*span, None, None, 3600, None, None],
        "tool_durations": [*span, None, None, 3600, None, None, "t"],
        "tool_variants": [*span, None, None, None, None, None],
        "policy_events": [*span, None, None, 3600, None, None],
        "policy_findings": [*span, None, None, None, None],
        "policy_runs": [now, now, None, None, None, None, 5],
    }
    for file in sorted(QUERIES.glob("*.sql")):
        marks = max((int(mark) for mark in re.findall(r"\$(\d+)", file.read_text(encoding="utf-8"))), default=0)
        reader.rows(file.stem, params.get(file.stem, [None] * marks))
    reader.close()


def test_states_from_nothing_to_ready(tmp_path: Path, home: Path, real_marts: Path) -> None:
    assert Reader(tmp_path).state() is State.EMPTY
    assert Reader(real_marts).state() is State.EMPTY
    with Warehouse.open(tmp_path / "warehouse") as warehouse:
        assert Reader(tmp_path).state() is State.EMPTY
        spans = pl.DataFrame({"trace_id": ["a"], "span_id": ["b"], "run_id": ["a"], "workflow": ["w"], "kind": ["run"]})
        warehouse.transaction(lambda connection: warehouse.insert(connection, "spans", spans))
    assert Reader(tmp_path).state() is State.STREAMED
    assert Reader(home).state() is State.READY


def test_a_missing_warehouse_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="plumbline stream"):
        Reader(tmp_path).rows("extent")


def test_a_view_holds_both_periods_and_the_incidents(reader: Reader) -> None:
    view = reader.view(Filters())
    assert view is not None
    assert set(view.cohorts["span"]) == {"current", "previous"}
    assert set(view.cohorts["workflow"]) == {workflow[0] for workflow in WORKFLOWS}
    assert set(view.incidents["family"]) == {drift.family for drift in DRIFTS}
    assert view.signals.height == len(DRIFTS)


def test_filters_narrow_every_part(reader: Reader) -> None:
    view = reader.view(Filters(workflow="it-helpdesk", environment="staging", period="7d"))
    assert view is not None
    for part in (view.cohorts, view.policy, view.reuse, view.rollback, view.incidents):
        assert set(part["workflow"]) == {"it-helpdesk"}
    everything = reader.view(Filters(workflow="it-helpdesk", period="7d"))
    assert everything is not None
    assert 0 < view.cohorts["runs"].sum() < everything.cohorts["runs"].sum()


def test_a_filter_value_is_a_parameter_never_sql(reader: Reader) -> None:
    view = reader.view(Filters(workflow="x' OR '1'='1"))
    assert view is not None
    assert view.cohorts.is_empty() and view.incidents.is_empty()


def test_views_are_read_once_until_something_changes(own_home: Path) -> None:
    home = own_home
    reader = Reader(home)
    first = reader.view(Filters())
    assert reader.view(Filters()) is first
    with Warehouse.open(home / "warehouse") as warehouse:
        warehouse.transaction(
            lambda connection: connection.execute("UPDATE incidents SET updated_at = now()::TIMESTAMP")
        )
    assert reader.view(Filters()) is not first
    second = reader.view(Filters())
    with Warehouse.open(home / "warehouse") as warehouse:
        write_comparisons(warehouse)
    compared = reader.view(Filters())
    assert compared is not None
    assert compared is not second
    with Warehouse.open(home / "warehouse") as warehouse:
        warehouse.transaction(lambda c: c.execute("CREATE OR REPLACE TABLE runs AS SELECT * FROM runs LIMIT 40"))
        marts.build(warehouse, "runs_hourly")
    third = reader.view(Filters())
    assert second is not None and third is not None
    assert third.extent.runs == 40


def test_a_warehouse_of_an_earlier_version_shows_the_same_figures(own_home: Path) -> None:
    filters = Filters(environment="production", team="support")
    reader = Reader(own_home)
    now = reader.view(filters)
    with Warehouse.open(own_home / "warehouse") as warehouse:
        warehouse.transaction(lambda connection: connection.execute("DROP TABLE runs_hourly"))
    earlier = reader.view(filters)
    with Warehouse.open(own_home / "warehouse") as warehouse:
        warehouse.transaction(lambda connection: connection.execute("DELETE FROM runs WHERE team = 'support'"))
        marts.build(warehouse, "runs_hourly")
    refreshed = reader.view(filters)
    assert now is not None and earlier is not None and refreshed is not None
    assert earlier is not now and now.cohorts.height > 10
    assert earlier.extent == now.extent
    sums = [name for name, kind in now.cohorts.schema.items() if kind.is_numeric()]
    for frame in (now.cohorts, earlier.cohorts):
        assert frame["bucket_at"].min() is not None
    np.testing.assert_allclose(
        earlier.cohorts.select(sums).to_numpy(), now.cohorts.select(sums).to_numpy(), rtol=1e-12, atol=0
    )
    assert refreshed.cohorts.is_empty(), "the mart takes the place of what stood in for it"


def test_a_warehouse_made_anew_is_opened_anew(own_home: Path, tmp_path: Path) -> None:
    reader = Reader(own_home)
    assert reader.state() is State.READY
    shutil.move(own_home / "warehouse", tmp_path / "aside")
    assert reader.state() is State.EMPTY
    shutil.copytree(tmp_path / "aside", own_home / "warehouse")
    assert reader.state() is State.READY


@pytest.mark.parametrize("drift", [drift for drift in DRIFTS if drift.kind != "mix"], ids=lambda drift: drift.metric)
def test_evidence_shows_the_change_that_the_signal_speaks_of(reader: Reader, drift) -> None:
    view = reader.view(Filters())
    assert view is not None
    signal = view.signals.filter(pl.col("family") == drift.family).row(0, named=True)
    points = reader.evidence(signal, view.extent.latest_at)
    onset = signal["onset_at"]
    before = points.filter(pl.col("bucket_at") < onset - timedelta(hours=2))
    after = points.filter(pl.col("bucket_at") > onset)

    def mean(part: pl.DataFrame) -> float:
        return float((part["value"] * part["observations"]).sum()) / float(part["observations"].sum())

    assert before.height > 3 and after.height > 3
    assert (mean(after) - mean(before)) / (drift.after - drift.before) == pytest.approx(1, abs=0.6)

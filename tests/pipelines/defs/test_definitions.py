"""What Dagster loads: valid, and as the snapshot beside this file says.

After a wanted change: ``UPDATE_SNAPSHOTS=1 python -m pytest tests/pipelines/defs/test_definitions.py``.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipelines.budgets import TABLE as BUDGETS
from pipelines.comparisons import TABLE as COMPARISONS
from pipelines.definitions import defs
from warehouse import marts

SNAPSHOT = Path(__file__).parent / "asset_specs.json"


def described(spec: dg.AssetSpec) -> dict[str, Any]:
    return {
        "group": spec.group_name,
        "kinds": sorted(spec.kinds),
        "owners": list(spec.owners),
        "partitions": str(spec.partitions_def) if spec.partitions_def else None,
        "deps": sorted(dep.asset_key.to_user_string() for dep in spec.deps),
        "metadata": {
            name: str(value) for name, value in sorted(spec.metadata.items()) if name.startswith("plumbline/")
        },
        # The rest of the wording is in docs/data_dictionary.md, which has a test of its own.
        "description": (spec.description or "").split("\n")[0],
        "columns": re.findall(r"^- `(\w+)`: ", spec.description or "", re.MULTILINE),
    }


def asset_specs() -> dict[str, Any]:
    specs = {spec.key.to_user_string(): described(spec) for spec in defs.resolve_all_asset_specs()}
    return dict(sorted(specs.items()))


def test_definitions_are_valid() -> None:
    dg.Definitions.validate_loadable(defs)


def test_every_asset_spec_is_as_its_snapshot_says() -> None:
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(json.dumps(asset_specs(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        pytest.skip("the snapshot was written anew")
    assert asset_specs() == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_every_mart_is_an_asset_that_depends_on_what_its_sql_reads() -> None:
    specs = asset_specs()
    assert set(marts.names()) <= set(specs)
    assert {name: set(specs[name]["deps"]) for name in marts.names()} == {
        name: marts.upstream(name) for name in marts.names()
    }
    assert {"runs", "cost_per_outcome_by_model", "reuse_daily", "rollback_readiness"} <= set(marts.names())


def test_marts_by_day_are_partitioned_by_day_and_a_range_of_them_is_one_run() -> None:
    specs = asset_specs()
    assert marts.by_day() == [name for name in marts.names() if specs[name]["partitions"]]
    assert {name for name, spec in specs.items() if spec["partitions"]} == set(marts.by_day())
    graph = defs.resolve_asset_graph()
    for name in marts.by_day():
        node = graph.get(dg.AssetKey(name))
        assert node.backfill_policy == dg.BackfillPolicy.single_run()
        assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition)
        days = node.partitions_def.get_partition_keys(current_time=datetime(2026, 9, 1, 8, tzinfo=UTC))
        assert (days[0], days[-1]) == ("2015-01-01", "2026-09-01"), "today is among them"


def test_the_backfill_job_builds_the_marts_by_day_and_what_depends_on_them_with_their_checks() -> None:
    layer = defs.resolve_job_def("backfill").asset_layer
    names = {key.to_user_string() for key in layer.executable_asset_keys}
    assert set(marts.by_day()) < names
    assert {"cost_per_outcome", "scorecard_daily"} < names
    assert not names & {"runs", "event_clock", "tool_calls"}
    assert [key.name for key in layer.asset_graph.asset_check_keys] == ["cost_agrees_with_runs"]


def test_the_checks_that_block_are_those_that_the_figures_rest_on() -> None:
    checks = {
        (spec.asset_key.to_user_string(), spec.name): spec.blocking
        for checks in defs.asset_checks or []
        for spec in checks.check_specs
    }
    assert checks == {
        ("runs", "runs_are_sound"): True,
        ("cost_by_day", "cost_agrees_with_runs"): True,
        ("model_calls", "prices_are_known"): False,
    }


def test_each_job_has_a_schedule() -> None:
    repository = defs.get_repository_def()
    scheduled = {schedule.job_name for schedule in repository.schedule_defs}
    assert scheduled == {"refresh", "compaction", "retention", "backup", "reports"}
    assert scheduled <= {job.name for job in repository.get_all_jobs()}


def test_the_refresh_job_builds_every_mart() -> None:
    layer = defs.resolve_job_def("refresh").asset_layer
    assert {key.to_user_string() for key in layer.executable_asset_keys} == {*marts.names(), BUDGETS, COMPARISONS}

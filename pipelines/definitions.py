"""What Dagster loads (`[tool.dg.project]`, `dagster dev -m pipelines.definitions`): assembles `pipelines.defs`, no more."""

from __future__ import annotations

import dagster as dg

from pipelines.defs.assets import fact_specs, mart_assets
from pipelines.defs.budgets import budgets_monthly
from pipelines.defs.checks import cost_agrees_with_runs, prices_are_known, runs_are_sound
from pipelines.defs.comparisons import release_comparisons
from pipelines.defs.jobs import backfill, backup, compaction, refresh
from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.reports import reports
from pipelines.defs.retention import retention
from pipelines.defs.schedules import schedules
from pipelines.defs.sensors import new_facts

_made_by_python = [budgets_monthly, release_comparisons]

defs = dg.Definitions(
    assets=[*fact_specs(_made_by_python), *mart_assets(), *_made_by_python],
    asset_checks=[runs_are_sound, cost_agrees_with_runs, prices_are_known],
    jobs=[refresh, backfill, compaction, retention, backup, reports],
    schedules=schedules,
    sensors=[new_facts],
    resources={"lakehouse": Lakehouse()},
    executor=dg.in_process_executor,
)

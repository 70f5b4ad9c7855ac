"""Everything Dagster knows of Plumbline, assembled; each concern is a file in `pipelines.defs`."""

import dagster as dg

from pipelines.defs.assets import mart_assets, raw_specs
from pipelines.defs.checks import runs_are_sound
from pipelines.defs.home import Home
from pipelines.defs.jobs import compact_warehouse, prune_run_records, refresh_marts, schedules

defs = dg.Definitions(
    assets=[*raw_specs(), *mart_assets()],
    asset_checks=[runs_are_sound],
    jobs=[refresh_marts, compact_warehouse, prune_run_records],
    schedules=schedules,
    resources={"home": Home()},
)

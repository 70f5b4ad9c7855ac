"""The asset `release_comparisons`: a table that SQL alone can't make, as `pipelines.comparisons` writes it."""

# No postponed annotations: Dagster reads the types of the arguments as they are.

import dagster as dg

from pipelines.comparisons import TABLE, write_comparisons
from pipelines.defs.assets import built, describe
from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import RETRIES, only_when_busy
from warehouse.dictionary import raw_tables

_TABLE = next(table for table in raw_tables() if table.name == TABLE)


@dg.asset(
    name=TABLE,
    deps=["runs", "policy_decisions", "spans", "catalog_workflows"],
    group_name="releases",
    kinds={"duckdb", "python"},
    owners=["team:platform"],
    description=describe(_TABLE),
    metadata={"plumbline/grain": _TABLE.grain, "plumbline/model": "pipelines/comparisons.py"},
    retry_policy=RETRIES,
)
def release_comparisons(lakehouse: Lakehouse) -> dg.MaterializeResult:
    """Compare every release with the one before it, and with the catalog's baseline."""
    with only_when_busy():
        return built(lakehouse.warehouse, _TABLE, write_comparisons(lakehouse.warehouse))

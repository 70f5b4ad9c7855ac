"""The asset `release_comparisons`: a table that SQL alone can't make, as `pipelines.comparisons` writes it."""

# No postponed annotations: Dagster reads the types of the arguments as they are.

import dagster as dg

from pipelines.defs.assets import FIRST, built, describe, priority
from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import RETRIES, only_when_busy
from warehouse.dictionary import raw_tables

_TABLE = next(table for table in raw_tables() if table.name == "release_comparisons")


@dg.asset(
    name=_TABLE.name,
    deps=["runs", "spans", "catalog_workflows"],
    group_name="releases",
    kinds={"duckdb", "python"},
    owners=["team:platform"],
    description=describe(_TABLE),
    metadata={"plumbline/grain": _TABLE.grain, "plumbline/model": "pipelines/comparisons.py"},
    retry_policy=RETRIES,
    op_tags=priority(FIRST),
)
def release_comparisons(lakehouse: Lakehouse) -> dg.MaterializeResult:
    """Compare every release with the one before it, and with the catalog's baseline."""
    from pipelines.comparisons import write_comparisons  # here: it needs the detectors, and no other job does

    with only_when_busy():
        return built(lakehouse.warehouse, _TABLE, write_comparisons(lakehouse.warehouse))

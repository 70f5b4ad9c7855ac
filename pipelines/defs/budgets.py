"""The asset `budgets_monthly`: a table that SQL alone can't make, as `pipelines.budgets` writes it."""

# No postponed annotations: Dagster reads the types of the arguments as they are.

import dagster as dg

from pipelines.defs.assets import FIRST, OWNERS, built, describe, priority
from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import RETRIES, only_when_busy
from warehouse.dictionary import raw_tables

_TABLE = next(table for table in raw_tables() if table.name == "budgets_monthly")


@dg.asset(
    name=_TABLE.name,
    deps=["runs", "catalog_budgets"],
    group_name="cost",
    kinds={"duckdb", "python"},
    owners=[OWNERS["cost"]],
    description=describe(_TABLE),
    metadata={"plumbline/grain": _TABLE.grain, "plumbline/model": "pipelines/budgets.py"},
    retry_policy=RETRIES,
    op_tags=priority(FIRST),
)
def budgets_monthly(lakehouse: Lakehouse) -> dg.MaterializeResult:
    """Say how each budget of the catalog stands, and note the rungs that were passed."""
    from pipelines.budgets import write_budgets  # here: it needs the forecast's statistics, and no other job does

    with only_when_busy():
        return built(lakehouse.warehouse, _TABLE, write_budgets(lakehouse.warehouse))

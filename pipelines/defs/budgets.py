"""The asset `budgets_monthly`: a table that SQL alone can't make, as `pipelines.budgets` writes it."""

# No postponed annotations: Dagster reads the types of the arguments as they are.

import dagster as dg

from pipelines.budgets import TABLE, write_budgets
from pipelines.defs.assets import OWNERS, built, describe
from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import RETRIES, only_when_busy
from warehouse.dictionary import raw_tables

_TABLE = next(table for table in raw_tables() if table.name == TABLE)


@dg.asset(
    name=TABLE,
    deps=["runs", "catalog_budgets"],
    group_name="cost",
    kinds={"duckdb", "python"},
    owners=[OWNERS["cost"]],
    description=describe(_TABLE),
    metadata={"plumbline/grain": _TABLE.grain, "plumbline/model": "pipelines/budgets.py"},
    retry_policy=RETRIES,
)
def budgets_monthly(lakehouse: Lakehouse) -> dg.MaterializeResult:
    """Say how each budget of the catalog stands, and note the rungs that were passed."""
    with only_when_busy():
        return built(lakehouse.warehouse, _TABLE, write_budgets(lakehouse.warehouse))

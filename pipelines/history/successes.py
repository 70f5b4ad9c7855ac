"""What each success took: the cost of all runs since the success before it."""

from __future__ import annotations

from typing import Any

import polars as pl

#: spent: cost of the runs since the last success, in billionths of a USD: whole numbers, so that their order does not show.
SUCCESSES_SCHEMA: dict[str, Any] = {"workflow": pl.String, "spent": pl.Int64}
SUCCESS = "success"
_UNIT = 1e-9


def per_success(rows: pl.DataFrame, state: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return an observation for each success, and the new state.

    Its mean over successes is the cost of all runs divided by the number of successes: cost per successful outcome.

    Parameters
    ----------
    rows : pl.DataFrame
        ``OBSERVATION_SCHEMA`` and row; value is the cost of a run in USD, category how it ended.
    state : pl.DataFrame
        ``SUCCESSES_SCHEMA``; a row per workflow.
    """
    if rows.is_empty():
        return rows, state
    is_success = pl.col("category") == SUCCESS
    summed = (
        rows.join(state, on="workflow", how="left", maintain_order="left")
        .with_columns(cost=(pl.col("value") / _UNIT).round().cast(pl.Int64))
        .with_columns(total=pl.col("spent").fill_null(0) + pl.col("cost").cum_sum().over("workflow"))
        # What had been spent up to the success before.
        .with_columns(until=pl.when(is_success).then("total").forward_fill().shift(1).over("workflow").fill_null(0))
    )
    told = summed.filter(is_success).with_columns(
        value=(pl.col("total") - pl.col("until")) * _UNIT, category=pl.lit(None, pl.String)
    )
    left = summed.group_by("workflow").agg(
        spent=pl.col("total").last() - pl.col("total").filter(is_success).last().fill_null(0)
    )
    kept = state.join(left, on="workflow", how="anti")
    return told.select(rows.columns), pl.concat([kept, left]).sort("workflow")

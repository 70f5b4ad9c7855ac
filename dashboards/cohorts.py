"""Roll additive sums of runs up into ratios, with their interval and coverage.

Stands between the queries and the figures: `queries/cohorts.sql` gives sums per window, bucket, workflow and model; any
coarser group is their sum, so one formula serves every trend, table and tile. Pure: frame in, frame out.

References
----------
E. C. Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 16 (1954), 175-185.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

# Two-sided 95 % of the normal law, rounded as the marts round it.
Z95 = 1.96

SUMS = (
    "runs",
    "pending_runs",
    "settled_runs",
    "successes",
    "escalations",
    "priced_runs",
    "priced_successes",
    "priceable_model_calls",
    "priced_model_calls",
    "tool_calls",
    "tool_errors",
    "runs_without_cached_tokens",
    "runs_without_usage",
    "runs_without_failed_calls",
    "runs_without_tool_spans",
)
# Sums that are unknown, not zero, where no row knew them.
NULLABLE_SUMS = (
    "cost_usd",
    "cost_squared",
    "cost_of_successes_usd",
    "model_cost_usd",
    "tool_cost_usd",
    "escalation_cost_usd",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
)


def rolled(cohorts: pl.DataFrame, *by: str) -> pl.DataFrame:
    """One row per group of `by` with the sums and the ratios made of them; a single row without `by`.

    Parameters
    ----------
    cohorts : pl.DataFrame
        Columns of ``queries/cohorts.sql``.
    *by : str
        Columns to group by, in the order of the result.

    Returns
    -------
    pl.DataFrame
        `by`, the sums, and ``success_ratio``, ``escalation_ratio`` (of settled runs), ``price_coverage_ratio`` (priced share
        of model calls), ``cost_per_success_usd`` with ``ci_low_usd`` and ``ci_high_usd`` (95 %, Fieller; null where the
        successes are too few for a bound), ``unsuccessful_cost_usd``.
    """
    sums = [pl.col(name).sum() for name in SUMS]
    sums += [
        pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum()).otherwise(None).alias(name)
        for name in NULLABLE_SUMS
    ]
    groups = cohorts.group_by(*by, maintain_order=True).agg(sums).sort(*by) if by else cohorts.select(sums)
    return groups.with_columns(
        success_ratio=_ratio("successes", "settled_runs"),
        escalation_ratio=_ratio("escalations", "settled_runs"),
        price_coverage_ratio=_ratio("priced_model_calls", "priceable_model_calls"),
        cost_per_success_usd=_ratio("cost_usd", "priced_successes"),
        unsuccessful_cost_usd=pl.col("cost_usd") - pl.col("cost_of_successes_usd"),
        **_fieller(),
    )


def decided(cohorts: pl.DataFrame) -> pl.DataFrame:
    """Policy decisions and those that allowed the action: columns span, bucket_at, workflow, decisions, allowed.

    Parameters
    ----------
    cohorts : pl.DataFrame
        Columns of ``queries/cohorts.sql``.
    """
    groups = cohorts.filter(pl.col("decisions") > 0).group_by("span", "bucket_at", "workflow")
    return groups.agg(pl.col("decisions", "allowed").sum()).sort("span", "bucket_at", "workflow")


def _ratio(part: str, whole: str) -> pl.Expr:
    return pl.when(pl.col(whole) > 0).then(pl.col(part) / pl.col(whole)).otherwise(None)


def _fieller() -> dict[str, pl.Expr]:
    """Bounds of Σcost / Σsuccess over the priced runs of each row.

    The bounds are the roots of a θ² - 2 b θ + c = 0 with a = s̄² - z² v_ss, b = c̄ s̄ - z² v_cs, c = c̄² - z² v_cc, where
    the v are (co)variances of the means; they exist when a > 0, that is when the success ratio is clear of zero.
    """
    n = pl.col("priced_runs").cast(pl.Float64)
    mean_cost, mean_success = pl.col("cost_usd") / n, pl.col("priced_successes") / n
    scale = n * (n - 1)  # sample (co)variance over n
    cost_cost = (pl.col("cost_squared") - n * mean_cost**2).clip(lower_bound=0) / scale
    success_success = (pl.col("priced_successes") - n * mean_success**2).clip(lower_bound=0) / scale
    cost_success = (pl.col("cost_of_successes_usd") - n * mean_cost * mean_success) / scale
    a = mean_success**2 - Z95**2 * success_success
    b = mean_cost * mean_success - Z95**2 * cost_success
    c = mean_cost**2 - Z95**2 * cost_cost
    root = (b**2 - a * c).clip(lower_bound=0).sqrt()
    exists = (pl.col("priced_runs") > 1) & (a > 0)
    return {
        "ci_low_usd": pl.when(exists).then(((b - root) / a).clip(lower_bound=0)).otherwise(None),
        "ci_high_usd": pl.when(exists).then((b + root) / a).otherwise(None),
    }


def is_within_noise(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool | None:
    """Whether two costs per success differ by less than sampling alone explains (95 %); None where that is unknown.

    Parameters
    ----------
    before, after : mapping
        Rows of `rolled`.
    """
    values = [
        row.get(name) for row in (before, after) for name in ("cost_per_success_usd", "ci_low_usd", "ci_high_usd")
    ]
    if any(value is None for value in values):
        return None
    value_before, low_before, high_before, value_after, low_after, high_after = (float(v or 0) for v in values)
    # Half an interval is z standard errors, so their root of squares is z standard errors of the difference.
    return abs(value_after - value_before) <= math.hypot((high_before - low_before) / 2, (high_after - low_after) / 2)


def is_ratio_within_noise(part: float, whole: float, part_before: float, whole_before: float) -> bool | None:
    """Whether two success ratios differ by less than sampling alone explains (95 %, pooled normal); None without runs."""
    if whole <= 0 or whole_before <= 0:
        return None
    pooled = min(max((part + part_before) / (whole + whole_before), 0.0), 1.0)
    error = math.sqrt(pooled * (1 - pooled) * (1 / whole + 1 / whole_before))
    return abs(part / whole - part_before / whole_before) <= Z95 * error

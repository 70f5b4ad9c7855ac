"""From sums of tool calls to error ratios with intervals, and from counts of durations to quantiles. Pure: frame in, frame out.

Calls of one run fail together: a run that loops on a broken tool is one piece of evidence, not twenty. The interval of an error
ratio therefore takes the variance over runs, as an effective number of calls in Wilson's formula, which stays sensible near 0.

References
----------
L. Kish, *Survey Sampling*, Wiley 1965, section 8.2 (design effect, effective sample size).
E. L. Korn, B. I. Graubard, "Confidence intervals for proportions with small expected number of positive counts estimated from
survey data", Survey Methodology 24 (1998), 193-201.
E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927), 209-212.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from dashboards.cohorts import Z95

SUMS = (
    "calls",
    "runs",
    "spanned_calls",
    "errors",
    "spanned_calls_squared",
    "errors_squared",
    "errors_by_calls",
    "timed_calls",
    "read_calls",
    "write_calls",
    "irreversible_calls",
)

# Buckets of durations to a doubling, as in mart tool_calls_hourly.
_TO_A_DOUBLING = 8


def rolled(calls: pl.DataFrame, *by: str) -> pl.DataFrame:
    """One row per group of `by` with the sums, and the error ratio with its 95 % interval; a single row without `by`.

    Parameters
    ----------
    calls : pl.DataFrame
        Columns of ``queries/tool_calls.sql``.
    *by : str
        Columns to group by, in the order of the result.

    Returns
    -------
    pl.DataFrame
        `by`, the sums, ``last_at``, ``effective_calls``, ``error_ratio`` (null without a call that has a span), ``error_low`` and
        ``error_high``.
    """
    sums = [pl.col(name).sum() for name in SUMS] + [pl.col("last_at").max()]
    groups = calls.group_by(*by, maintain_order=True).agg(sums).sort(*by) if by else calls.select(sums)
    return _with_intervals(groups)


def _with_intervals(groups: pl.DataFrame) -> pl.DataFrame:
    n, ratio = pl.col("spanned_calls").cast(pl.Float64), pl.col("error_ratio")
    # Variance of a ratio of sums over runs, by linearisation; and that of as many independent calls.
    between = (
        pl.col("errors_squared") - 2 * ratio * pl.col("errors_by_calls") + ratio**2 * pl.col("spanned_calls_squared")
    ).clip(lower_bound=0.0) / n**2
    alone = ratio * (1 - ratio) / n
    # Where nothing or everything failed the data don't tell how calls hang together: then each run counts once.
    effective = (
        pl.when((pl.col("errors") == 0) | (pl.col("errors") == pl.col("spanned_calls")))
        .then(pl.min_horizontal(pl.col("runs").cast(pl.Float64), n))
        .otherwise(pl.min_horizontal(n * alone / between, n))
    )
    z2 = Z95**2
    m, p = pl.col("effective_calls"), ratio
    centre, half = (p + z2 / (2 * m)) / (1 + z2 / m), (p * (1 - p) / m + z2 / (4 * m**2)).sqrt() * Z95 / (1 + z2 / m)
    return (
        groups.with_columns(error_ratio=pl.when(n > 0).then(pl.col("errors") / n))
        .with_columns(effective_calls=pl.when(ratio.is_not_null()).then(effective))
        .with_columns(
            error_low=(centre - half).clip(0.0, 1.0),
            error_high=(centre + half).clip(0.0, 1.0),
        )
    )


def is_error_within_noise(now: Mapping[str, Any] | None, before: Mapping[str, Any] | None) -> bool | None:
    """Whether sampling alone explains the difference of two error ratios (95 %, Newcombe's hybrid of their intervals).

    Parameters
    ----------
    now, before : mapping or None
        Rows of `rolled`.

    Returns
    -------
    bool or None
        None where one of them is unknown.

    References
    ----------
    R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17 (1998),
    873-890, method 10.
    """
    if now is None or before is None or now["error_ratio"] is None or before["error_ratio"] is None:
        return None
    moved = now["error_ratio"] - before["error_ratio"]
    low = moved - math.hypot(now["error_ratio"] - now["error_low"], before["error_high"] - before["error_ratio"])
    high = moved + math.hypot(now["error_high"] - now["error_ratio"], before["error_ratio"] - before["error_low"])
    return low <= 0 <= high


def quantiles(durations: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Median and 95th percentile of the duration per group of `by`, each within 4.5 %.

    Parameters
    ----------
    durations : pl.DataFrame
        `by`, bucket (int: the duration is between 2^(bucket/8) and 2^((bucket+1)/8) milliseconds), calls.

    Returns
    -------
    pl.DataFrame
        `by`, timed (calls), p50_ms, p95_ms: the geometric middle of the bucket that holds the call of that rank.
    """
    if durations.is_empty():
        return pl.DataFrame(schema={**{name: durations.schema[name] for name in by}, **_QUANTILES})
    counted = durations.group_by(*by, "bucket").agg(pl.col("calls").sum()).sort(*by, "bucket")
    middle = (((pl.col("bucket") + 0.5) / _TO_A_DOUBLING) * math.log(2)).exp()
    return (
        counted.with_columns(
            middle=middle, reached=pl.col("calls").cum_sum().over(by), timed=pl.col("calls").sum().over(by)
        )
        .group_by(*by, maintain_order=True)
        .agg(
            pl.col("timed").first(),
            p50_ms=pl.col("middle").filter(pl.col("reached") >= 0.5 * pl.col("timed")).first(),
            p95_ms=pl.col("middle").filter(pl.col("reached") >= 0.95 * pl.col("timed")).first(),
        )
    )


_QUANTILES = {"timed": pl.Int64, "p50_ms": pl.Float64, "p95_ms": pl.Float64}

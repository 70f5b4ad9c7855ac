"""Two groups of runs of one workflow, metric by metric: interval, verdict, and on how much it rests.

Takes what groups add up to and gives frames; the intervals are those of `detectors.comparison`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from detectors.comparison import (
    LEAST_FOR_MEANS,
    LEAST_FOR_RATES,
    Group,
    Interval,
    group_of,
    mean_difference,
    rate,
    rate_difference,
    verdict,
)
from detectors.errors import SettingsError

NEEDS_DATA = "needs data"


@dataclass(frozen=True, slots=True)
class Metric:
    """What is compared.

    Attributes
    ----------
    column : str
        What the columns of a group's sums begin with, see `compare`.
    kind : str
        'rate' (difference of shares), 'mean' (difference of means) or 'ratio' (ratio of geometric means, less 1).
    unit : str
        Of both values; differences have it too, those of a 'ratio' are shares of the first value.
    counted : str
        The runs that it rests on, in words.
    """

    name: str
    column: str
    kind: str
    unit: str
    higher_is_better: bool
    counted: str
    meaning: str

    @property
    def least(self) -> int:
        """Runs of each group below which it is not compared."""
        return LEAST_FOR_RATES if self.kind == "rate" else LEAST_FOR_MEANS


METRICS = (
    Metric("success rate", "success", "rate", "share", True, "settled runs", "settled runs that ended in success"),
    Metric(
        "cost per run", "cost_usd", "mean", "usd", False, "priced runs", "priced runs, model, tool and escalation cost"
    ),
    Metric("duration", "duration_ms", "ratio", "ms", False, "timed runs", "geometric mean, first start to last end"),
    Metric(
        "tool error rate",
        "tool_error",
        "rate",
        "share",
        False,
        "runs with a tool call",
        "runs with a failed tool call, of those that call tools",
    ),
    Metric(
        "denial rate",
        "denied",
        "rate",
        "share",
        False,
        "runs with a policy decision",
        "runs with a denied action, of those with a policy decision",
    ),
)

COMPARISON_SCHEMA: dict[str, pl.DataType] = {
    "metric": pl.String(),
    "verdict": pl.String(),
    **dict.fromkeys(("first", "second", "difference", "low", "high", "relative", "margin"), pl.Float64()),
    "unit": pl.String(),
    **dict.fromkeys(("first_runs", "second_runs"), pl.Int64()),
    **dict.fromkeys(("first_coverage", "second_coverage"), pl.Float64()),
    "missing": pl.String(),
    "meaning": pl.String(),
}


def compare(
    groups: pl.DataFrame, first: str, second: str, *, alpha: float = 0.05, margin: float = 0.05
) -> pl.DataFrame:
    """Compare the runs of group `second` with those of `first`; all intervals hold at once and at every look.

    Parameters
    ----------
    groups : pl.DataFrame
        A row per group: group String, runs Int64, and for the column of each of `METRICS` ``_runs`` Int64, ``_mean`` and
        ``_variance`` (divided by n) Float64 of the runs that have a value; of its logarithm, and of positive values alone, where
        the kind is 'ratio'. A group without a row has no runs.
    alpha : float
        Chance, in (0, 1), that any interval of any metric ever misses; each metric has an equal part of it (Bonferroni).
    margin : float
        A difference that does not matter: in points of share for rates, relative to the first mean otherwise. In [0, 1).

    Returns
    -------
    pl.DataFrame
        Columns of `COMPARISON_SCHEMA`, a row per metric. ``first_coverage`` is the share of the group's runs that the
        figure rests on, ``margin`` is in the unit of the difference. Where the verdict is 'needs data', ``missing`` says which
        and the interval is null.

    Raises
    ------
    SettingsError
        `alpha` or `margin` is out of range.
    """
    if not 0 < alpha < 1:
        raise SettingsError("the level is out of range", f"alpha = {alpha}", "give a number between 0 and 1")
    if not 0 <= margin < 1:
        raise SettingsError("the margin is out of range", f"margin = {margin}", "give a number from 0 up to 1")
    known = {row["group"]: row for row in groups.iter_rows(named=True)}
    sides = [known.get(name, {}) for name in (first, second)]
    rows = [_row(metric, sides, alpha / len(METRICS), margin) for metric in METRICS]
    return pl.DataFrame(rows, schema=COMPARISON_SCHEMA, orient="row")


def _row(metric: Metric, sides: list[dict[str, Any]], alpha: float, margin: float) -> dict[str, object]:
    before, after = (
        Group(side[f"{metric.column}_runs"], side[f"{metric.column}_mean"], side[f"{metric.column}_variance"])
        if side.get(f"{metric.column}_runs")
        else Group(0, math.nan)
        for side in sides
    )
    coverage = [
        each.n / side["runs"] if side.get("runs") else None for each, side in zip((before, after), sides, strict=True)
    ]
    row: dict[str, object] = {
        "metric": metric.name,
        "verdict": NEEDS_DATA,
        "first": _level(metric, before),
        "second": _level(metric, after),
        "unit": metric.unit,
        "first_runs": before.n,
        "second_runs": after.n,
        "first_coverage": coverage[0],
        "second_coverage": coverage[1],
        "missing": _missing(metric, before.n, after.n),
        "meaning": metric.meaning,
    }
    if row["missing"]:
        return row
    found = (rate_difference if metric.kind == "rate" else mean_difference)(before, after, alpha)
    allowed = margin
    if metric.kind == "mean":
        allowed = margin * abs(before.mean)
    elif metric.kind == "ratio":
        found = Interval(*(float(np.expm1(end)) for end in (found.estimate, found.low, found.high)))
    whole = 1.0 if metric.kind == "ratio" else before.mean
    return row | {
        "verdict": verdict(found, allowed, higher_is_better=metric.higher_is_better),
        "difference": found.estimate,
        "low": found.low,
        "high": found.high,
        "relative": found.estimate / whole if whole else None,
        "margin": allowed,
    }


def _missing(metric: Metric, before: int, after: int) -> str | None:
    """How many runs are wanting on which side; None where there are enough."""
    wanted = [(max(metric.least - n, 0), side) for n, side in ((before, "before"), (after, "after"))]
    parts = [f"{number} more {side}" for number, side in wanted if number]
    return f"{metric.counted}: {' and '.join(parts)}" if parts else None


def _level(metric: Metric, group: Group) -> float | None:
    if group.n == 0:
        return None
    return float(np.exp(group.mean)) if metric.kind == "ratio" else group.mean


def agreement(decisions: pl.DataFrame, *, alpha: float = 0.05) -> tuple[Group, Interval | None]:
    """How often shadow runs decided as people did, with an interval that holds at every look.

    Parameters
    ----------
    decisions : pl.DataFrame
        human, agent String: a row per shadow run; rows without both say nothing.

    Returns
    -------
    Group, Interval or None
        Runs and share of agreement; no interval below `LEAST_FOR_RATES` runs.
    """
    both = decisions.drop_nulls(["human", "agent"])
    group = group_of((both["human"] == both["agent"]).cast(pl.Float64).to_numpy())
    return group, rate(group, alpha) if group.n >= LEAST_FOR_RATES else None

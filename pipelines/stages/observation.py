"""What an observation is, the three kinds of it that detectors take (continuous, rate, mix), and that of rules."""

from __future__ import annotations

from typing import Any

import polars as pl

#: ``at`` is event time (UTC); ``dimension`` is '' where the stream has none; ``value`` is null on mixes, 0 or 1 on rates;
#: ``covariate`` is what the value depends on by the way, where it is to be judged among its like.
OBSERVATION_SCHEMA: dict[str, Any] = {
    "at": pl.Datetime("us"),
    "workflow": pl.String,
    "family": pl.String,
    "metric": pl.String,
    "dimension": pl.String,
    "kind": pl.String,
    "value": pl.Float64,
    "category": pl.String,
    "covariate": pl.String,
    "run_id": pl.String,
    "late": pl.Boolean,
}


def _rows(
    frame: pl.DataFrame,
    family: str,
    metric: str,
    kind: str,
    value: pl.Expr,
    category: pl.Expr,
    dimension: str | None,
    covariate: pl.Expr | None = None,
) -> pl.DataFrame:
    return frame.select(
        pl.col("closed_at").alias("at"),
        "workflow",
        pl.lit(family).alias("family"),
        pl.lit(metric).alias("metric"),
        (pl.col(dimension).str.head(200) if dimension else pl.lit("")).alias("dimension"),
        pl.lit(kind).alias("kind"),
        value.cast(pl.Float64).alias("value"),
        category.cast(pl.String).alias("category"),
        (_NONE if covariate is None else covariate.str.head(200)).cast(pl.String).alias("covariate"),
        pl.col("trace_id").alias("run_id"),
        "late",
        "turn",
    )


_NONE = pl.lit(None)
#: Kind of a row that says no more than that a run has closed; ``pipelines.history`` counts them.
ARRIVAL = "arrival"


def arrival(runs: pl.DataFrame, family: str, metric: str) -> pl.DataFrame:
    """Return one row per run."""
    return _rows(runs, family, metric, ARRIVAL, _NONE, _NONE, None)


def spent(runs: pl.DataFrame, family: str, metric: str, column: str, ended: str) -> pl.DataFrame:
    """Return what each run cost and how it ended, in the category."""
    return _rows(runs, family, metric, "continuous", pl.col(column), pl.col(ended), None)


def continuous(
    runs: pl.DataFrame,
    family: str,
    metric: str,
    column: str,
    *,
    dimension: str | None = None,
    covariate: pl.Expr | None = None,
) -> pl.DataFrame:
    """Return one observation per row that has the number; rows without it are left out."""
    return _rows(runs.drop_nulls(column), family, metric, "continuous", pl.col(column), _NONE, dimension, covariate)


def rate(frame: pl.DataFrame, family: str, metric: str, hit: pl.Expr, *, dimension: str | None = None) -> pl.DataFrame:
    """Return one 0/1 observation per row."""
    return _rows(frame, family, metric, "rate", hit.fill_null(False), _NONE, dimension)


def mix(frame: pl.DataFrame, family: str, metric: str, column: str, *, dimension: str | None = None) -> pl.DataFrame:
    """Return one categorical observation per row that has the category."""
    category = pl.col(column).str.head(200)
    return _rows(frame.drop_nulls(column), family, metric, "mix", _NONE, category, dimension)


def rule(frame: pl.DataFrame, family: str, metric: str, value: str, category: str, *, dimension: str) -> pl.DataFrame:
    """Return one observation per row, which breaks a rule or may."""
    return _rows(frame, family, metric, "rule", pl.col(value), pl.col(category).str.head(200), dimension)

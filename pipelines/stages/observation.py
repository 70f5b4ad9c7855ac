"""What an observation is, the three kinds of it that detectors take (continuous, rate, mix), and that of rules."""

from __future__ import annotations

from typing import Any

import polars as pl

#: ``at`` is event time (UTC); ``dimension`` is '' where the stream has none; ``value`` is null on mixes, 0 or 1 on rates.
OBSERVATION_SCHEMA: dict[str, Any] = {
    "at": pl.Datetime("us"),
    "workflow": pl.String,
    "family": pl.String,
    "metric": pl.String,
    "dimension": pl.String,
    "kind": pl.String,
    "value": pl.Float64,
    "category": pl.String,
    "run_id": pl.String,
    "late": pl.Boolean,
}


def _rows(
    frame: pl.DataFrame, family: str, metric: str, kind: str, value: pl.Expr, category: pl.Expr, dimension: str | None
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
        pl.col("trace_id").alias("run_id"),
        "late",
        "turn",
    )


_NONE = pl.lit(None)


def continuous(
    runs: pl.DataFrame, family: str, metric: str, column: str, *, dimension: str | None = None
) -> pl.DataFrame:
    """Return one observation per row that has the number; rows without it are left out."""
    return _rows(runs.drop_nulls(column), family, metric, "continuous", pl.col(column), _NONE, dimension)


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

"""Observations that say something only where there are several: environments, or models and tasks, of one workflow."""

from __future__ import annotations

from typing import Any

import polars as pl

from pipelines.stages.observe import TO_USUAL

_OF = ["workflow", "metric"]
_LEVEL = [*_OF, "level"]
#: n counts observations up to `LEARNED`; total is the sum of their logarithms, in millionths: whole numbers, so that the order
#: of adding does not show.
LEVELS_SCHEMA: dict[str, Any] = {**dict.fromkeys(_LEVEL, pl.String), **dict.fromkeys(("n", "total"), pl.Int64)}
#: Observations from which a level counts.
LEAST = 20
#: Observations after which the usual of a level stays, so that a drift does not become it.
LEARNED = 1000
#: Levels remembered of one workflow and metric: more are no kinds of runs, but ids.
MOST = 50
_UNIT = 1e-6


def beside_others(rows: pl.DataFrame, state: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of workflows that had two levels with `LEAST` observations each by then, and the new state.

    Of metrics ``TO_USUAL`` the value becomes the multiple of its level's geometric mean over the observations before it.

    Parameters
    ----------
    rows : pl.DataFrame
        ``OBSERVATION_SCHEMA`` and row; the level is the covariate, else the dimension.
    state : pl.DataFrame
        ``LEVELS_SCHEMA``.

    References
    ----------
    Brown, Durbin, Evans (1975), Techniques for testing the constancy of regression relationships over time (recursive
    residuals: of what came before, so that their errors are uncorrelated).
    """
    if rows.is_empty():
        return rows, state
    counted = state.group_by(_OF).agg(known=pl.len(), counting=(pl.col("n") >= LEAST).sum())
    is_usual = pl.col("metric").is_in(TO_USUAL)
    placed = (
        rows.with_columns(level=pl.coalesce("covariate", "dimension"))
        .filter(~is_usual | (pl.col("value") > 0))
        .join(state, on=_LEVEL, how="left", maintain_order="left")
        .join(counted, on=_OF, how="left", maintain_order="left")
        .with_columns(pl.col("n", "total", "known", "counting").fill_null(0))
        .with_columns(
            nth=pl.col("n") + pl.int_range(1, pl.len() + 1).over(_LEVEL),
            log=pl.when(is_usual).then((pl.col("value").log() / _UNIT).round().cast(pl.Int64)).otherwise(0),
        )
        .with_columns(rank=pl.col("known") + (pl.col("nth") == 1).cum_sum().over(_OF))
        .filter((pl.col("n") > 0) | (pl.col("rank").first().over(_LEVEL) <= MOST))
        .with_columns(
            open=(pl.col("counting") + (pl.col("nth") == LEAST).cum_sum().over(_OF)) >= 2,
            log=pl.when(pl.col("nth") <= LEARNED).then("log").otherwise(0),
        )
        .with_columns(total=pl.col("total") + pl.col("log").cum_sum().over(_LEVEL))
    )
    before = pl.min_horizontal(pl.col("nth") - 1, LEARNED)
    usual = ((pl.col("total") - pl.col("log")) * _UNIT / before).exp()
    told = placed.filter("open", ~is_usual | (before >= LEAST)).with_columns(
        value=pl.when(is_usual).then(pl.col("value") / usual).otherwise("value")
    )
    fresh = (
        placed.group_by(_LEVEL, maintain_order=True)
        .agg(pl.col("nth").last(), pl.col("total").last())
        .select(*_LEVEL, n=pl.min_horizontal("nth", LEARNED).cast(pl.Int64), total="total")
    )
    kept = state.join(fresh, on=_LEVEL, how="anti", maintain_order="left")
    return told.select(rows.columns), pl.concat([kept, fresh]).sort(_LEVEL)

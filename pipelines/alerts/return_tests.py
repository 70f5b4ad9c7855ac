"""What tells the runs of a drifted stream from those before: made from the runs behind its signal, applied to later ones.

Every kind of stream comes down to one share per run, which ``detectors.recovery`` weighs: a number lies above a cut or not, where
it has covariates as a multiple of their usual value; a rate is 0 or 1; of a mix it is the share of calls whose category gained
since the onset, or was seen on neither side.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from detectors.recovery import LEAST_RUNS, Numbers, ReturnTest, best_cut, return_test
from pipelines.alerts.samples import Sample, means_of_runs, usual_of

#: A mix of more categories, or a stream of more covariates, has names that are ids: nothing to know a run by.
_MOST_NAMES = 1000
_WEEK = timedelta(weeks=1)


def return_test_of(sample: Sample, kind: str) -> str | None:
    """Return what column ``return_test`` of table ``signals`` says of a stream; None where nothing tells its runs apart."""
    stream = sample.stream
    if stream.is_empty() or kind not in ("continuous", "rate", "mix"):
        return None
    if kind == "mix":
        within = _not_gained(stream)
        if within is None:
            return None
        told: dict[str, Any] = {"within": within}
        gained = ~pl.col("category").is_in(within)
        shares = stream.group_by("trace_id", "is_after", maintain_order=True).agg(share=gained.mean())
    else:
        runs = means_of_runs(stream)
        if min(len(side) for side in _sides(runs, "value")) < LEAST_RUNS:
            return None
        usual = usual_of(runs)
        told = {}
        if usual is not None:
            told["usual"] = usual.filter(pl.col("usual") > 0).sort("covariate").rows()
            if len(told["usual"]) > _MOST_NAMES:
                return None
            runs = _beside(runs, told["usual"])
        before, after = _sides(runs, "value")
        told["cut"] = 0.5 if kind == "rate" else best_cut(before, after)
        shares = runs.select("is_after", share=(pl.col("value") > told["cut"]).cast(pl.Float64))
    test = return_test(*_sides(shares, "share"), _per_week(stream.filter(~pl.col("is_after"))))
    if test is None:
        return None
    return json.dumps({**told, "before": test.before, "after": test.after, "threshold": test.threshold})


def _not_gained(stream: pl.DataFrame) -> list[str] | None:
    """The categories whose mean share of a run is no greater after the onset, by name; None where there are too many."""
    calls = stream.group_by("trace_id", "is_after", "category").len().sort("category", "trace_id")
    share = pl.col("len") / pl.col("len").sum().over("trace_id")
    runs = stream.group_by("is_after").agg(runs=pl.col("trace_id").n_unique())
    sides = (
        calls.with_columns(share=share)
        .join(runs, on="is_after", maintain_order="left")
        .group_by("category", maintain_order=True)
        .agg(
            before=(pl.col("share") / pl.col("runs")).filter(~pl.col("is_after")).sum(),
            after=(pl.col("share") / pl.col("runs")).filter("is_after").sum(),
        )
    )
    within = sides.filter(pl.col("after") <= pl.col("before"))["category"].to_list()
    return within if len(sides) <= _MOST_NAMES else None


def scored(test: dict[str, Any], observations: pl.DataFrame) -> pl.DataFrame:
    """Return what each run of a stream's observations says: at (microseconds since 1970), score, shown (its value, or share).

    Parameters
    ----------
    test : dict
        Column ``return_test``, parsed.
    observations : pl.DataFrame
        ``OBSERVATION_SCHEMA``, of the stream alone.
    """
    is_mix = "within" in test
    if is_mix:
        shown = pl.col("category").is_in(test["within"]).not_().mean()
    else:
        observations = observations.filter(pl.col("value").is_finite())
        shown = pl.col("value").mean()
    runs = observations.group_by("run_id", maintain_order=True).agg(
        pl.col("at").first().dt.epoch("us"), pl.col("covariate").first(), value=shown
    )
    if "usual" in test:
        runs = _beside(runs, test["usual"])
    values = runs["value"].to_numpy()
    shares = values if is_mix else (values > test["cut"]).astype(np.float64)
    scores = ReturnTest(test["before"], test["after"], test["threshold"]).scores(shares)
    return runs.select("at", score=pl.Series(scores, dtype=pl.Float64), shown="value")


def _sides(runs: pl.DataFrame, column: str) -> tuple[Numbers, Numbers]:
    before, after = (runs.filter(pl.col("is_after") == side)[column].to_numpy() for side in (False, True))
    return before, after


def _beside(runs: pl.DataFrame, usual: list[tuple[str | None, float]]) -> pl.DataFrame:
    """Return the runs whose covariate is known, their values as multiples of its usual one."""
    known = pl.DataFrame(usual, schema={"covariate": pl.String, "usual": pl.Float64}, orient="row")
    return runs.join(known, on="covariate", nulls_equal=True, maintain_order="left").with_columns(
        pl.col("value") / pl.col("usual")
    )


def _per_week(stream: pl.DataFrame) -> float:
    closed = stream.unique("trace_id")["closed_at"]
    length = closed.max() - closed.min() if len(closed) else timedelta()  # pyright: ignore[reportOperatorIssue]
    return (len(closed) - 1) / (length / _WEEK) if length else 0.0  # pyright: ignore[reportOperatorIssue]

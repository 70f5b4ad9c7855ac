"""Runs of each workflow per hour of event time, hours without any included."""

from __future__ import annotations

from typing import Any

import polars as pl

from pipelines.stages.observation import OBSERVATION_SCHEMA

#: hour (since 1970) is the one under way, the same for all; runs closed in it so far; since and seen are the first hour of
#: the workflow, or after a long silence, and the last one with a run.
ARRIVALS_SCHEMA: dict[str, Any] = {
    "workflow": pl.String,
    **dict.fromkeys(("since", "seen", "hour", "runs"), pl.Int64),
}
HOUR = 3_600_000_000  # microseconds
#: A workflow without a run for so many hours is no longer waited for.
QUIET = 14 * 24


def runs_per_hour(rows: pl.DataFrame, state: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return an observation for each workflow and hour that has completed, with the row that completed it, and the new state.

    The clock is the fleet's: an hour has completed when a run of any workflow closes after it. The first hour of a workflow,
    of which only a part was seen, gives none, and runs that came late count for none.

    Parameters
    ----------
    rows : pl.DataFrame
        ``OBSERVATION_SCHEMA`` and row, its number; a row per run that has closed, in order.
    state : pl.DataFrame
        ``ARRIVALS_SCHEMA``; a row per workflow.
    """
    closed = rows.filter(~pl.col("late")).select("row", "workflow", hour=pl.col("at").dt.epoch("us") // HOUR)
    if not state.is_empty():
        closed = closed.filter(pl.col("hour") >= state["hour"][0])
    if closed.is_empty():
        return pl.DataFrame(schema={"row": pl.UInt32, **OBSERVATION_SCHEMA}), state
    now = closed["hour"].max()
    runs = (
        pl.concat(
            [closed.select("workflow", "hour", runs=pl.lit(1, pl.Int64)), state.select("workflow", "hour", "runs")]
        )
        .group_by("workflow", "hour")
        .agg(pl.col("runs").sum())
    )
    hours = _grid(runs.filter(pl.col("runs") > 0), state, now).with_columns(
        silence=pl.col("hour") - pl.col("seen_before")
    )
    told = hours.filter(
        pl.col("hour") < now,
        pl.col("hour") > pl.col("since"),
        pl.col("silence").is_null() | (pl.col("silence") <= QUIET),
    )
    completed = closed["hour"].cum_max().search_sorted(told["hour"], side="right")
    return _observations(told.with_columns(row=closed["row"].gather(completed))), _state(hours, now)


def _grid(runs: pl.DataFrame, state: pl.DataFrame, now: Any) -> pl.DataFrame:
    """One row per workflow and hour from the one under way to `now`: runs, and the last hour before with any."""
    known = state.select("workflow", "since", "seen", start="hour")
    first = runs.group_by("workflow").agg(first=pl.col("hour").min(), last=pl.col("hour").max())
    return (
        first.join(known, on="workflow", how="full", coalesce=True)
        .select(
            "workflow",
            "seen",
            since=pl.coalesce("since", "first"),
            # One that stays silent is followed until it is no longer waited for.
            hour=pl.int_ranges(
                pl.coalesce("start", "first"),
                pl.min_horizontal(pl.lit(now), pl.max_horizontal("last", "seen") + QUIET + 1) + 1,
            ),
        )
        .explode("hour")
        .join(runs, on=["workflow", "hour"], how="left")
        .with_columns(pl.col("runs").fill_null(0))
        .sort("workflow", "hour")
        .with_columns(with_runs=pl.when(pl.col("runs") > 0).then("hour"))
        .with_columns(
            seen_before=pl.coalesce(
                pl.col("with_runs").forward_fill().shift(1).over("workflow"),
                pl.when(pl.col("seen") < pl.col("hour")).then("seen"),
            ),
            seen=pl.coalesce(pl.col("with_runs").forward_fill().over("workflow"), "seen"),
        )
    )


def _state(hours: pl.DataFrame, now: Any) -> pl.DataFrame:
    returned = pl.col("hour").filter(pl.col("silence") > QUIET, pl.col("runs") > 0).max()
    return (
        hours.with_columns(since=pl.max_horizontal("since", returned.over("workflow")))
        .filter(pl.col("hour") == now, pl.col("hour") - pl.col("seen") <= QUIET)
        .select(ARRIVALS_SCHEMA.keys())
        .sort("workflow")
    )


def _observations(hours: pl.DataFrame) -> pl.DataFrame:
    return hours.sort("hour", "workflow").select(
        "row",
        at=((pl.col("hour") + 1) * HOUR).cast(pl.Datetime("us")),
        workflow="workflow",
        family=pl.lit("data"),
        metric=pl.lit("runs_per_hour"),
        dimension=pl.lit(""),
        kind=pl.lit("continuous"),
        value=pl.col("runs").cast(pl.Float64),
        category=pl.lit(None, pl.String),
        covariate=pl.lit(None, pl.String),
        run_id=pl.lit(""),
        late=pl.lit(False),
    )

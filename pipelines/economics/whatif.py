"""What the recorded traffic would have cost with other models or another cache share: priced anew, call by call.

It answers for money alone. Another model writes other answers, of other length and with other success: tokens and outcomes are
taken as they were, and who reads the result must know that.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from pipelines.stages.price import price
from pipelines.stages.rates import LIST_PRICES, Rates

_COST = ("cost_before_usd", "cost_after_usd")


def priced_anew(
    calls: pl.DataFrame, models: Mapping[str, str], cache_share: float | None, rates: Rates = LIST_PRICES
) -> pl.DataFrame:
    """Return the calls with ``cost_after_usd``: what each would have cost; null where the price is not known.

    Parameters
    ----------
    calls : pl.DataFrame
        Rows of ``calls_with_outcomes``.
    models : mapping of str to str
        Model that answered, or was asked for → the one in its place. Dated versions of a name count as that name.
    cache_share : float or None
        Share of the input read from the cache, 0 to 1, of every call with input tokens; None leaves it as it was.
    rates : Rates
        What the catalog declares.
    """
    answered = pl.coalesce("response_model", "request_model")
    plain = answered.str.replace(r"[-@]\d{4}-?\d{2}-?\d{2}$", "")
    new = pl.coalesce(
        answered.replace_strict(dict(models), default=None, return_dtype=pl.String),
        plain.replace_strict(dict(models), default=None, return_dtype=pl.String),
    )
    moved = calls.with_columns(new_model=new)
    is_moved = pl.col("new_model").is_not_null()
    changed = moved.with_columns(
        request_model=pl.when(is_moved).then("new_model").otherwise("request_model"),
        response_model=pl.when(~is_moved).then("response_model"),
        provider=pl.when(~is_moved).then("provider"),
    )
    if cache_share is not None:
        room = pl.col("input_tokens") - pl.col("cache_write_tokens").fill_null(0)
        changed = changed.with_columns(
            cached_input_tokens=pl.min_horizontal((pl.col("input_tokens") * cache_share).round().cast(pl.Int64), room)
        )
    priced, _ = price(changed, rates)
    untouched = ~is_moved & pl.lit(cache_share is None)
    return priced.with_columns(
        # A call that nothing changes keeps what it cost: an older price list may have priced it.
        cost_after_usd=pl.when(untouched).then("cost_before_usd").otherwise("cost_usd")
    ).drop("cost_usd", "price_id", "new_model")


def by_workflow(calls: pl.DataFrame, runs: pl.DataFrame) -> pl.DataFrame:
    """Return cost before and after per workflow, over the runs of which both are known.

    Parameters
    ----------
    calls : pl.DataFrame
        As `priced_anew` gives them.
    runs : pl.DataFrame
        Rows of ``settled_runs``.

    Returns
    -------
    pl.DataFrame
        workflow, runs (settled), priced_runs (whose cost is known both ways), successes (of those), cost_before_usd and
        cost_after_usd (tools and escalations included), the same per success (null without one), change_ratio.
    """
    unknown = pl.any_horizontal(pl.col(name).is_null() & _has_tokens() for name in _COST)
    of_run = calls.group_by("run_id").agg(*(pl.col(name).sum() for name in _COST), is_unknown=unknown.any())
    known = ~pl.col("is_unknown").fill_null(False)
    per = (
        runs.join(of_run, on="run_id", how="left")
        .with_columns(pl.col(name).fill_null(0.0) + pl.col("beside_usd") for name in _COST)
        .group_by("workflow")
        .agg(
            pl.len().alias("runs"),
            *(pl.col(name).filter(known).sum() for name in _COST),
            priced_runs=known.sum(),
            successes=(known & pl.col("is_success")).sum(),
        )
        .sort("workflow")
    )
    told = pl.when(pl.col("priced_runs") > 0)
    success = pl.when(pl.col("successes") > 0).then("successes")
    return per.with_columns(told.then(name).alias(name) for name in _COST).with_columns(
        per_success_before_usd=pl.col("cost_before_usd") / success,
        per_success_after_usd=pl.col("cost_after_usd") / success,
        change_ratio=pl.when(pl.col("cost_before_usd") > 0).then(
            pl.col("cost_after_usd") / pl.col("cost_before_usd") - 1
        ),
    )


def _has_tokens() -> pl.Expr:
    """A call that failed without using a token costs nothing and needs no price."""
    return (pl.col("input_tokens").fill_null(0) + pl.col("output_tokens").fill_null(0)) > 0

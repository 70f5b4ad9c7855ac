"""Who pays: spend by a tag, with the cost of shared workflows split over the others by a stated rule."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

#: Rule → what a tag's part of the shared cost is proportional to.
RULES = {"spend": "own_usd", "runs": "runs", "even": None}


def showback(spend: pl.DataFrame, shared: Collection[str] = (), rule: str = "spend") -> pl.DataFrame:
    """Return what each tag pays; the rows sum to all that was spent.

    Parameters
    ----------
    spend : pl.DataFrame
        Rows of ``spend_by_tag``: workflow, tag (null: none), runs, priced_runs, cost_usd (null: no cost is known).
    shared : collection of str
        Workflows whose cost is nobody's own.
    rule : str
        ``spend``: in proportion to the tags' own spend; ``runs``: to their runs; ``even``: the same for each.

    Returns
    -------
    pl.DataFrame
        tag (null: unallocated), runs, own_usd, shared_usd, total_usd (null where no cost is known), share (of the total),
        coverage_ratio (runs with a known cost ÷ runs). The unallocated row takes no part of what is shared; where nobody else
        could, the shared cost is unallocated itself. Unallocated last, the dearest first.
    """
    is_shared = pl.col("workflow").is_in(list(shared))
    own = (
        spend.filter(~is_shared)
        .group_by("tag")
        .agg(
            pl.col("runs", "priced_runs").sum(),
            own_usd=pl.when(pl.col("cost_usd").count() > 0).then(pl.col("cost_usd").sum()),
        )
    )
    common = spend.filter(is_shared)
    to_split = common["cost_usd"].sum()
    weight = RULES[rule]
    part = pl.when(pl.col("tag").is_not_null()).then(pl.col(weight) if weight else pl.lit(1.0)).otherwise(0.0)
    parted = own.with_columns(weight=part.fill_null(0.0).cast(pl.Float64))
    whole = parted["weight"].sum()
    if common.height and not whole:
        nobody = {"tag": None, "runs": 0, "priced_runs": 0, "own_usd": None, "weight": 0.0}
        if not parted["tag"].is_null().any():
            parted = pl.concat([parted, pl.DataFrame([nobody], schema=parted.schema)])
        parted = parted.with_columns(weight=pl.col("tag").is_null().cast(pl.Float64))
        whole = 1.0
    split = parted.with_columns(
        shared_usd=pl.when(pl.lit(common["cost_usd"].count() > 0)).then(pl.col("weight") / (whole or 1.0) * to_split)
    ).with_columns(
        total_usd=pl.when(pl.any_horizontal(pl.col("own_usd", "shared_usd").is_not_null())).then(
            pl.col("own_usd").fill_null(0.0) + pl.col("shared_usd").fill_null(0.0)
        )
    )
    everything = split["total_usd"].sum()
    return (
        split.with_columns(
            share=pl.when(pl.lit(everything > 0)).then(pl.col("total_usd") / everything),
            coverage_ratio=pl.when(pl.col("runs") > 0).then(pl.col("priced_runs") / pl.col("runs")),
        )
        .sort(pl.col("tag").is_null(), -pl.col("total_usd").fill_null(0.0), "tag")
        .select("tag", "runs", "own_usd", "shared_usd", "total_usd", "share", "coverage_ratio")
    )

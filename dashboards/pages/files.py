"""The rows behind what the pages of money show, as files hold them: one function per file."""

from __future__ import annotations

import polars as pl

from dashboards.bridging import moved
from dashboards.cohorts import rolled
from dashboards.data import View
from dashboards.downloads import Tables
from dashboards.pages.asked import Asked
from dashboards.pages.chargeback import chargeback_of, tag_of
from dashboards.pages.toolspend import by_tool
from dashboards.pages.why import usage_of


def by_model(view: View) -> pl.DataFrame:
    """`rolled` sums and ratios of the current period by workflow and model, the dearest first."""
    current = view.cohorts.filter(pl.col("span") == "current")
    return rolled(current, "workflow", "model").sort("cost_usd", descending=True, nulls_last=True)


def _chargeback(asked: Asked) -> pl.DataFrame:
    return chargeback_of(asked).rename({"tag": tag_of(asked)})


def _bridge(asked: Asked) -> pl.DataFrame:
    view = asked.view
    found = moved(view.cohorts, usage_of(asked)) if view.window.is_comparable else None
    rows = [(part.factor, part.moved, part.before, part.after, part.unit) for part in found.parts] if found else []
    if found:
        rows.append(("cost per success", found.after - found.before, found.before, found.after, "USD per success"))
    schema = {"factor": pl.String, "moved_usd_per_success": pl.Float64, "before": pl.Float64, "after": pl.Float64}
    return pl.DataFrame(rows, schema={**schema, "unit": pl.String}, orient="row")


COST: Tables = {
    "cost-over-time": lambda asked: rolled(asked.view.cohorts, "bucket_at"),
    "cost-by-model": lambda asked: by_model(asked.view),
    "cost-by-tool": by_tool,
    "bridge": _bridge,
    "chargeback": _chargeback,
}

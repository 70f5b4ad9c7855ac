"""What each tool costs, on the cost page: the other half of the mix of models and tools."""

from __future__ import annotations

from typing import Any

import polars as pl

from dashboards import text, words
from dashboards.elements import dcc, html
from dashboards.figures.cost import mix
from dashboards.pages.asked import Asked
from dashboards.pages.parts import Column, card, delta, graph, meter, table

_TITLE = "Spend by tool"
_COLUMNS = (
    Column("Tool"),
    Column("Calls", True),
    Column("Cost per call", True),
    Column("Spend", True),
    Column("Share"),
)
# The dearest tools, and those without a price that are called most; the download has them all.
_MOST_PRICED, _MOST_UNPRICED = 10, 4
_SCHEMA = {
    "tool_name": pl.String,
    "calls": pl.Int64,
    "cost_per_call_usd": pl.Float64,
    "cost_usd": pl.Float64,
    "share": pl.Float64,
    "calls_before": pl.Int64,
    "cost_before_usd": pl.Float64,
}


def by_tool(asked: Asked) -> pl.DataFrame:
    """One row per tool that was called in the period, the dearest first; those without a price last.

    Returns
    -------
    pl.DataFrame
        tool_name, calls, cost_per_call_usd, cost_usd, share (of what all priced tools cost), calls_before, cost_before_usd. What
        depends on a price is null where the catalog has none, and what was before is null where there is no period to compare.
    """
    spend = _spend(asked)
    if spend is None:
        return pl.DataFrame(schema=_SCHEMA)
    now = _summed(spend, "current")
    earlier = _summed(spend, "previous").select("tool_name", calls_before="calls", cost_before_usd="cost_usd")
    if not asked.view.window.is_comparable:
        earlier = earlier.clear()
    whole = now["cost_usd"].sum()
    return (
        now.join(earlier, on="tool_name", how="left")
        .with_columns(share=pl.col("cost_usd") / whole if whole else pl.lit(None, pl.Float64))
        .select(pl.col(name).cast(of) for name, of in _SCHEMA.items())
        .sort("cost_usd", "calls", "tool_name", descending=[True, True, False], nulls_last=True)
    )


def _spend(asked: Asked) -> pl.DataFrame | None:
    """``queries/tool_spend.sql``; None before the first refresh that counts tool calls."""
    if not asked.reader.has("tool_calls_hourly"):
        return None
    return asked.reader.rows("tool_spend", asked.view.parameters())


def _summed(spend: pl.DataFrame, span: str) -> pl.DataFrame:
    known = pl.col("cost_usd").is_not_null().any()
    return (
        spend.filter(pl.col("span") == span)
        .group_by("tool_name", maintain_order=True)
        .agg(
            pl.col("calls").sum(),
            pl.col("cost_per_call_usd").first(),
            pl.when(known).then(pl.col("cost_usd").sum()).alias("cost_usd"),
        )
    )


def toolspend(asked: Asked) -> html.Section:
    """The card: spend by tool over time, and the tools with calls, price and share."""
    spend = _spend(asked)
    if spend is None:
        return _empty("Tool calls are not counted yet; the next ", html.Code("plumbline refresh"), " does.")
    found = by_tool(asked)
    if found.is_empty():
        return _empty("No call of a tool in this period.")
    priced = found.drop_nulls("cost_usd")
    if priced.is_empty():
        return _empty(
            f"{text.count(int(found['calls'].sum()))} calls of {text.count(found.height)} tools, and the catalog has a price for "
            "none of them: what they cost is unknown. Give a tool ",
            html.Code("cost_per_call_usd"),
            " below ",
            html.Code("tools"),
            " in catalog.yaml, then run ",
            html.Code("plumbline refresh"),
            ".",
        )
    calls, covered, whole = int(found["calls"].sum()), int(priced["calls"].sum()), float(priced["cost_usd"].sum())
    points = spend.filter(pl.col("cost_usd").is_not_null()).select("bucket_at", "cost_usd", model="tool_name")
    against = asked.view.window.previous_name
    return card(
        _TITLE,
        html.Div(
            [
                graph(
                    mix(points, asked.view.window),
                    f"Spend on tools over time, parted by tool: {text.usd(whole)} in the period",
                )
                if whole
                else html.P("Every tool with a price costs nothing.", className="under"),
                table(
                    _COLUMNS,
                    [_row(asked, row, against) for row in _shown(found).iter_rows(named=True)],
                    caption="What each tool costs, the dearest first",
                    kind="cards",
                ),
            ],
            className="pair bridge",
        ),
        key="tool_spend",
        coverage=f"{text.count(covered)} of {text.count(calls)} tool calls have a price in the catalog",
        lead=_lead(found, priced, whole),
        wide=True,
    )


def _shown(found: pl.DataFrame) -> pl.DataFrame:
    """Rows of `by_tool` that the page has room for: a tool that costs nothing tells nothing here."""
    unpriced = found.filter(pl.col("cost_usd").is_null())
    return pl.concat([found.filter(pl.col("cost_usd") > 0).head(_MOST_PRICED), unpriced.head(_MOST_UNPRICED)])


def _lead(found: pl.DataFrame, priced: pl.DataFrame, whole: float) -> str:
    calls, covered = int(found["calls"].sum()), int(priced["calls"].sum())
    said = f"{text.usd(whole)} for {text.count(covered)} calls, pending and shadow runs included."
    unpriced = found.height - priced.height
    if unpriced:
        who = "1 tool has" if unpriced == 1 else f"{text.count(unpriced)} tools have"
        said += (
            f" {who} no price in the catalog: what {text.count(calls - covered)} calls ({text.percent(1 - covered / calls)}) "
            "cost is unknown, not nothing."
        )
    free = priced.filter(pl.col("cost_usd") == 0).height
    if free:
        said += f" {text.count(free)} {'costs' if free == 1 else 'cost'} nothing by the catalog."
    hidden = found.height - _shown(found).height
    return said + (f" The download has all {text.count(found.height)} tools." if hidden > 0 else "")


def _row(asked: Asked, row: dict[str, Any], against: str) -> list[Any]:
    change = words.changed(row["cost_usd"], row["cost_before_usd"], against=against, lower_is_better=None)
    return [
        dcc.Link(
            text.plain(row["tool_name"], 40),
            href="/tools" + asked.filters.search(tool=row["tool_name"], by=None, shared=None),
            className="name",
        ),
        text.count(row["calls"]),
        text.usd(row["cost_per_call_usd"]),
        html.Div([html.Span(text.usd(row["cost_usd"])), delta(change)], className="stack"),
        html.Div(
            [
                html.Span(text.percent(row["share"])),
                meter(row["share"], f"{text.percent(row['share'])} of what tools cost"),
            ],
            className="stack",
        ),
    ]


def _empty(*said: html.Code | str) -> html.Section:
    return card(_TITLE, html.P(list(said), className="under"), key="tool_spend", wide=True)

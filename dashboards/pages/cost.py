"""Cost per outcome: what one success costs, where the money goes without one, and how much of it is priced at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from dashboards import text, words
from dashboards.cohorts import rolled
from dashboards.data import View
from dashboards.downloads import links
from dashboards.elements import dcc, html
from dashboards.figures.cost import made_of, mix, spend, trend
from dashboards.pages import files
from dashboards.pages.asked import Asked, Page
from dashboards.pages.budget import budget
from dashboards.pages.chargeback import chargeback, dearest
from dashboards.pages.empty import nothing_matches
from dashboards.pages.figuring import Figured, figured
from dashboards.pages.parts import Column, card, delta, graph, meter, table, tile
from dashboards.pages.toolspend import toolspend
from dashboards.pages.why import why

PATH = "/cost"
TITLE = "Cost per outcome"

# More bars than this need a filter.
_MOST_BARS = 24

# More small trends than this are a wall, not a picture; the table has all of them.
_MOST_TRENDS = 12

_COLUMNS = (
    Column("Workflow"),
    Column("Model"),
    Column("Runs", True),
    Column("Success", True),
    Column("Cost per success", True, key="cost_per_success"),
    Column("Cost", True, key="cost"),
    Column("Without success", True, key="unsuccessful_spend"),
    Column("Tokens in / out", True),
    Column("Price coverage", key="price_coverage"),
)


def page(asked: Asked) -> html.Div:
    """The cost page of the workflows and the period that were asked for."""
    view = asked.view
    shown = figured(view)
    if not shown.now["runs"]:
        return html.Div([nothing_matches(view)])
    return html.Div(
        [
            _tiles(view, shown),
            html.P(words.unreported(shown.now), className="under") if words.unreported(shown.now) else None,
            html.Div(
                [
                    card(
                        "Cost per successful outcome",
                        graph(
                            trend(shown.points, view.window),
                            "Cost per successful outcome over time with its 95 % interval",
                        ),
                        key="cost_per_success",
                        coverage=words.coverage(shown.now),
                        lead="Band: 95 % interval. A wide band means few successes, not a wild price.",
                    ),
                    card(
                        "Spend, with and without success",
                        graph(
                            spend(shown.points, view.window),
                            "Spend per bucket in successful runs and in runs without success",
                        ),
                        key="unsuccessful_spend",
                        coverage=words.coverage(shown.now),
                        lead=_lost(shown),
                    ),
                ],
                className="pair",
            ),
            why(asked, shown),
            _made_of(shown),
            budget(asked, _mix(view)),
            chargeback(asked),
            _small(view, shown) if len(shown.workflows) > 1 else None,
            _models(view),
            toolspend(asked),
            dearest(asked),
            links(asked, files.COST),
        ]
    )


def _lost(shown: Figured) -> str:
    now = shown.now
    if not now["cost_usd"]:
        return "No priced run in this period."
    return (
        f"{text.usd(now['unsuccessful_cost_usd'])} of {text.usd(now['cost_usd'])} "
        f"({text.percent(now['unsuccessful_cost_usd'] / now['cost_usd'])}) went into runs that did not succeed."
    )


def _lost_share(row: Mapping[str, Any] | None) -> float | None:
    return row["unsuccessful_cost_usd"] / row["cost_usd"] if row and row["cost_usd"] else None


def _tiles(view: View, shown: Figured) -> html.Div:
    now, before, against = shown.now, shown.before, view.window.previous_name
    lost, lost_before = _lost_share(now), _lost_share(before)
    return html.Div(
        [
            tile(
                "Cost per success",
                text.usd(now["cost_per_success_usd"]),
                key="cost_per_success",
                coverage=words.coverage(now),
                change=shown.cost_change,
                foot=words.interval(now),
            ),
            tile(
                "Cost",
                text.usd(now["cost_usd"]),
                key="cost",
                coverage=words.coverage(now),
                change=words.changed(
                    now["cost_usd"], words.known(before, "cost_usd"), against=against, lower_is_better=None
                ),
                foot=f"{text.count(now['priced_runs'])} priced runs",
            ),
            tile(
                "Spend without success",
                text.percent(lost),
                key="unsuccessful_spend",
                coverage=words.coverage(now),
                change=words.moved(lost, lost_before, against=against, lower_is_better=True),
                foot=f"{text.usd(now['unsuccessful_cost_usd'])} of {text.usd(now['cost_usd'])}",
            ),
            tile(
                "Price coverage",
                text.percent(now["price_coverage_ratio"]),
                key="price_coverage",
                foot=_unpriced(view),
            ),
        ],
        className="tiles four",
    )


def _unpriced(view: View) -> str:
    models = rolled(view.cohorts.filter(pl.col("span") == "current"), "model").filter(
        pl.col("priced_model_calls") < pl.col("priceable_model_calls")
    )
    if models.is_empty():
        return "every model call has a price"
    names = [text.plain(name or "unknown model", 28) for name in models["model"].head(2)]
    more = f" and {models.height - 2} more" if models.height > 2 else ""
    return f"no price for {', '.join(names)}{more}"


def _made_of(shown: Figured) -> html.Section | None:
    rows = [row for row in shown.workflows if row["priced_successes"]]
    if not rows:
        return None
    ranked = sorted(rows, key=lambda row: (-row["cost_per_success_usd"], row["workflow"]))[:_MOST_BARS]
    total = shown.now
    parts = [
        ("models", total["model_cost_usd"]),
        ("tools", total["tool_cost_usd"]),
        ("people who took over", total["escalation_cost_usd"]),
    ]
    said = ", ".join(
        f"{text.percent(value / total['cost_usd'])} {name}" for name, value in parts if value and total["cost_usd"]
    )
    return card(
        "What a success is paid for",
        graph(
            made_of(ranked), "Cost per successful outcome of each workflow, split into models, tools and escalations"
        ),
        key="made_of",
        coverage=words.coverage(total),
        lead=f"Of all cost: {said}." if said else None,
        wide=True,
    )


def _small(view: View, shown: Figured) -> html.Section:
    ranked = sorted(shown.workflows, key=lambda row: (-(row["cost_usd"] or 0.0), row["workflow"]))
    cells = []
    for row in ranked[:_MOST_TRENDS]:
        name, before = row["workflow"], shown.before_by_workflow.get(row["workflow"])
        points = shown.points_by_workflow[name]
        noise = words.cost_noise(row, before)
        cells.append(
            html.Div(
                [
                    html.Div(
                        [
                            dcc.Link(
                                text.plain(name, 34),
                                href="/cost" + view.filters.search(workflow=name),
                                className="name",
                            ),
                            html.Span(
                                [
                                    html.Strong(text.usd(row["cost_per_success_usd"])),
                                    " ",
                                    delta(
                                        words.changed(
                                            row["cost_per_success_usd"],
                                            words.known(before, "cost_per_success_usd"),
                                            against=view.window.previous_name,
                                            lower_is_better=True,
                                            noise=noise,
                                        )
                                    ),
                                ]
                            ),
                        ],
                        className="small-head",
                    ),
                    graph(
                        trend(points, view.window, height=128, is_small=True),
                        f"Cost per successful outcome of {text.plain(name)} over time",
                    )
                    if points["cost_per_success_usd"].is_not_null().any()
                    else html.P("No priced success.", className="under"),
                ],
                className="small",
            )
        )
    hidden = len(ranked) - _MOST_TRENDS
    lead = "The most expensive first; each on its own scale." + (
        f" {hidden} more are in the table below." if hidden > 0 else ""
    )
    return card("By workflow", html.Div(cells, className="smalls"), key="cost_per_success", lead=lead, wide=True)


def _mix(view: View) -> html.Section:
    points = rolled(view.cohorts, "bucket_at", "model")
    return card(
        "Spend by model",
        graph(mix(points, view.window), "Spend per bucket, parted by the model that the runs called most"),
        key="cost",
        coverage=words.coverage(rolled(view.cohorts.filter(pl.col("span") == "current")).row(0, named=True)),
        lead="Whole runs, tools and people included, by the model that a run called most.",
    )


def _models(view: View) -> html.Section:
    rows = files.by_model(view)
    return card(
        "By workflow and model",
        table(
            _COLUMNS,
            [_model_row(view, row) for row in rows.head(200).iter_rows(named=True)],
            caption="Cost per workflow and model",
            kind="cards",
        ),
        lead="The model is the one that a run called most. A dash is unknown, never zero.",
        wide=True,
    )


def _model_row(view: View, row: dict[str, Any]) -> list[Any]:
    lost = _lost_share(row)
    covered = row["price_coverage_ratio"]
    return [
        dcc.Link(
            text.plain(row["workflow"], 40),
            href="/cost" + view.filters.search(workflow=row["workflow"]),
            className="name",
        ),
        text.plain(row["model"] or "unknown", 40),
        text.count(row["runs"]),
        text.percent(row["success_ratio"]),
        html.Div(
            [html.Span(text.usd(row["cost_per_success_usd"])), html.Span(words.interval(row), className="under")],
            className="stack",
        ),
        text.usd(row["cost_usd"]),
        html.Div(
            [html.Span(text.usd(row["unsuccessful_cost_usd"])), html.Span(text.percent(lost), className="under")],
            className="stack",
        ),
        f"{text.amount(row['input_tokens'])} / {text.amount(row['output_tokens'])}",
        html.Div(
            [
                html.Span(text.percent(covered)),
                meter(covered, f"price coverage {text.percent(covered)}", "warn" if (covered or 0) < 1 else ""),
            ],
            className="stack",
        ),
    ]


PAGE = Page(PATH, TITLE, "Cost", page, "cost.html", keeps=("by", "shared"), files=files.COST)

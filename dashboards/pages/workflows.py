"""The workflows on the scorecard: one row each with a verdict, and each now against the period before."""

from __future__ import annotations

from typing import Any

import polars as pl

from dashboards import text, words
from dashboards.data import View
from dashboards.elements import dcc, html
from dashboards.figures.scorecard import Change, changes
from dashboards.figures.sparkline import sparkline
from dashboards.pages.figuring import Figured
from dashboards.pages.parts import Column, card, delta, graph, meter, pill, spark, table

_COLUMNS = (
    Column("Workflow", key="verdict"),
    Column("Runs", True),
    Column("Success", True),
    Column("Cost per success", True),
    Column("Trend"),
    Column("Reuse", True),
    Column("Rollback readiness"),
    Column("Policy", True),
    Column("Incidents", True),
)


def scores(view: View, shown: Figured) -> html.Section:
    """The table of workflows, those that need attention first."""
    ranked = sorted(
        shown.workflows,
        key=lambda row: (shown.verdict(row["workflow"]).rank, -(row["cost_usd"] or 0.0), row["workflow"]),
    )
    rows = [_row(view, shown, row) for row in ranked]
    return card(
        "Workflows",
        table(_COLUMNS, rows, caption="Scorecard per workflow, those that need attention first", kind="cards"),
        lead="Those that need attention first. Small changes that sampling alone explains are shown in grey.",
        wide=True,
    )


def _row(view: View, shown: Figured, row: dict[str, Any]) -> list[Any]:
    name = row["workflow"]
    before = shown.before_by_workflow.get(name)
    judged = shown.verdict(name)
    reuse, policy = shown.reuse_by_workflow.get(name), shown.policy_by_workflow.get(name)
    readiness = shown.readiness.get(name)
    score = readiness.get("score") if readiness else None
    against = view.window.previous_name
    noise = words.cost_noise(row, before)
    points = shown.points_by_workflow[name]
    open_count = shown.open_by_workflow.get(name, 0)
    return [
        html.Div(
            [
                dcc.Link(text.plain(name, 40), href="/cost" + view.filters.search(workflow=name), className="name"),
                pill(judged.text, judged.tone, judged.reason),
            ],
            className="stack",
        ),
        text.count(row["runs"]),
        html.Div(
            [
                html.Span(text.percent(row["success_ratio"])),
                delta(
                    words.moved(
                        row["success_ratio"],
                        words.known(before, "success_ratio"),
                        against=against,
                        noise=words.success_noise(row, before),
                    )
                ),
            ],
            className="stack",
        ),
        html.Div(
            [
                html.Span(
                    [
                        text.usd(row["cost_per_success_usd"]),
                        " ",
                        delta(
                            words.changed(
                                row["cost_per_success_usd"],
                                words.known(before, "cost_per_success_usd"),
                                against=against,
                                lower_is_better=True,
                                noise=noise,
                            )
                        ),
                    ]
                ),
                html.Span(words.interval(row), className="under"),
            ],
            className="stack",
        ),
        spark(
            sparkline(
                points["cost_per_success_usd"].to_list(),
                split=points.filter(pl.col("bucket_at") < view.window.start).height,
            ),
            "Trend of the cost per success",
        ),
        text.percent(reuse),
        html.Div(
            [
                html.Span(words.score(score)),
                meter(score, f"readiness {words.score(score)}", "warn" if score is None or score < 0.5 else ""),
                html.Span(words.link(readiness), className="under"),
            ],
            className="stack",
        ),
        text.percent(policy),
        dcc.Link(str(open_count), href="/drift" + view.filters.search(workflow=name)) if open_count else "0",
    ]


def comparison(view: View, shown: Figured) -> html.Div:
    """Cost per success and success ratio of each workflow, now against the period before."""
    ranked = sorted(shown.workflows, key=lambda row: -(row["cost_per_success_usd"] or 0.0))[:24]
    cost, success = [], []
    for row in ranked:
        before = shown.before_by_workflow.get(row["workflow"])
        cost.append(
            Change(
                row["workflow"],
                row["cost_per_success_usd"],
                before["cost_per_success_usd"] if before else None,
                row["ci_low_usd"],
                row["ci_high_usd"],
                words.is_worse_cost(row, before),
            )
        )
        success.append(
            Change(
                row["workflow"],
                _hundredfold(row["success_ratio"]),
                _hundredfold(words.known(before, "success_ratio")),
                is_worse=words.is_worse_success(row, before),
            )
        )
    lead = (
        f"Filled: {view.window.name.lower()}. Hollow: {view.window.previous_name}. "
        "A red diamond moved the wrong way by more than sampling explains."
        if view.window.is_comparable
        else "There is no earlier period to compare with."
    )
    return html.Div(
        [
            card(
                "Cost per successful outcome",
                graph(
                    changes(cost, text.usd, prefix="$", is_log=True),
                    "Cost per successful outcome of each workflow, now and before",
                ),
                key="cost_per_success",
                lead=lead,
            ),
            card(
                "Success ratio",
                graph(
                    changes(
                        success, lambda value: text.percent(None if value is None else value / 100), suffix="\u202f%"
                    ),
                    "Success ratio of each workflow, now and before",
                ),
                key="success_ratio",
                lead=lead,
            ),
        ],
        className="pair",
    )


def _hundredfold(ratio: float | None) -> float | None:
    return None if ratio is None else 100 * ratio

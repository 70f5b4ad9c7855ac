"""The executive scorecard: is the fleet worth its money, can it be trusted, can it be undone."""

from __future__ import annotations

from typing import Any

import polars as pl
from dash import dcc, html

from dashboards import text, words
from dashboards.data import View
from dashboards.figures.cost import trend
from dashboards.figures.scorecard import Change, changes
from dashboards.figures.sparkline import sparkline
from dashboards.pages.empty import nothing_matches
from dashboards.pages.figuring import Figured, figured
from dashboards.pages.parts import Column, card, delta, graph, meter, pill, table, tile

PATH = "/"
TITLE = "Executive scorecard"

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


def page(view: View) -> html.Div:
    """The scorecard of the workflows and the period that `view` holds."""
    shown = figured(view)
    if not shown.now["runs"]:
        return html.Div([nothing_matches(view)])
    return html.Div(
        [
            html.P(_summary(view, shown), className="summary"),
            html.Div([_hero(view, shown), _tiles(view, shown)], className="hero"),
            _attention(view, shown),
            _workflows(view, shown),
            _comparison(view, shown) if len(shown.workflows) > 1 else None,
        ]
    )


def _summary(view: View, shown: Figured) -> str:
    now, change = shown.now, shown.cost_change
    who = text.plain(view.filters.workflow) if view.filters.workflow else f"{len(shown.workflows)} workflows"
    parts = [
        f"{who}: {text.count(now['runs'])} runs, {text.percent(now['success_ratio'])} of the settled ones successful"
    ]
    if now["cost_per_success_usd"] is not None:
        cost = f"one successful outcome costs {text.usd(now['cost_per_success_usd'])}"
        if change:
            cost += f", {change.said}"
        parts.append(cost)
    sentence = "; ".join(parts) + "."
    drifting = sum(1 for row in shown.workflows if shown.open_by_workflow.get(row["workflow"]))
    if drifting and not view.filters.workflow:
        sentence += f" {drifting} of {len(shown.workflows)} workflows drift."
    return sentence


def _hero(view: View, shown: Figured) -> html.Section:
    now = shown.now
    return card(
        "Cost per successful outcome",
        html.Div(
            [
                html.Span(text.usd(now["cost_per_success_usd"]), className="big"),
                delta(shown.cost_change),
                html.Span(f"against {view.window.previous_name}" if shown.cost_change else "", className="against"),
            ],
            className="big-line",
        ),
        html.P(
            f"{words.interval(now)} · {text.percent(now['price_coverage_ratio'])} of model calls priced"
            + (f" · {text.count(now['pending_runs'])} runs pending" if now["pending_runs"] else ""),
            className="under",
        ),
        graph(
            trend(shown.points, view.window, height=216), "Cost per successful outcome over time with its 95 % interval"
        ),
        key="cost_per_success",
        coverage=words.coverage(now),
    )


def _tiles(view: View, shown: Figured) -> html.Div:
    now, before, against = shown.now, shown.before, view.window.previous_name
    success_noise = words.success_noise(now, before)
    spark = {name: _spark(shown, name) for name in ("runs", "success_ratio")}
    weakest = shown.weakest
    return html.Div(
        [
            tile(
                "Success ratio",
                text.percent(now["success_ratio"]),
                key="success_ratio",
                coverage=f"{text.count(now['settled_runs'])} settled of {text.count(now['runs'])} runs",
                change=words.moved(
                    now["success_ratio"], before and before["success_ratio"], against=against, noise=success_noise
                ),
                foot=f"{text.count(now['successes'])} successes",
                trend=spark["success_ratio"],
            ),
            tile(
                "Runs",
                text.count(now["runs"]),
                key="runs",
                change=words.changed(now["runs"], before and before["runs"], against=against, lower_is_better=None),
                foot=f"{text.count(now['pending_runs'])} pending",
                trend=spark["runs"],
            ),
            tile(
                "Reuse rate",
                text.percent(shown.reuse.now),
                key="reuse_ratio",
                coverage=f"{text.count(shown.reuse.whole)} component invocations",
                change=words.moved(shown.reuse.now, shown.reuse.before, against=against),
                foot="of component invocations" if shown.reuse.now is not None else "no component invocation seen",
                trend=sparkline(shown.reuse.trend, split=shown.reuse.split),
            ),
            tile(
                "Policy adherence",
                text.percent(shown.policy.now),
                key="policy_adherence",
                coverage=f"{text.count(shown.policy.whole)} policy decisions",
                change=words.moved(shown.policy.now, shown.policy.before, against=against),
                foot=f"of {text.count(shown.policy.whole)} decisions"
                if shown.policy.whole
                else "no policy decision seen",
                trend=sparkline(shown.policy.trend, split=shown.policy.split),
            ),
            tile(
                "Rollback readiness",
                _score(weakest.get("score") if weakest else None),
                key="rollback_readiness",
                coverage=f"proven for {shown.proven} of {len(shown.readiness)} workflows",
                foot=_weakest(shown, view.filters.workflow is None),
            ),
            tile(
                "Open incidents",
                text.count(shown.open_incidents),
                key="open_incidents",
                foot=f"{shown.opened} detected since {text.when(view.window.start)[:-11]}"
                if shown.opened
                else "none detected in this period",
            ),
        ],
        className="tiles",
    )


def _spark(shown: Figured, name: str) -> str:
    return sparkline(shown.points[name].to_list(), split=shown.split)


def _score(value: float | None) -> str:
    return f"{value:.2f}" if value is not None else "not proven"


def _weakest(shown: Figured, is_fleet: bool) -> str:
    if not shown.weakest:
        return "no workflow measured"
    reason = words.link(shown.weakest)
    if not is_fleet:
        return reason
    name = text.plain(shown.weakest["workflow"], 28)
    return f"weakest: {name}" + (f", {reason}" if reason else "")


def _attention(view: View, shown: Figured) -> html.Section | None:
    rows = shown.open_rows[:5]
    if not rows:
        return None
    items = [
        html.Li(
            [
                pill(
                    str(row["family"] or "other"),
                    f"family-{row['family']}" if row["family"] in words.FAMILY_NAMES else "",
                ),
                html.Div(
                    [
                        dcc.Link(
                            text.plain(row["headline"] or "drift", 140),
                            href="/drift" + view.filters.search(incident=row["incident_id"]),
                        ),
                        html.Span(
                            f"{text.plain(row['workflow'])} · since {text.when(row['onset_at'] or row['opened_at'])}",
                            className="under",
                        ),
                    ],
                    className="stack",
                ),
            ]
        )
        for row in rows
    ]
    more = len(shown.open_rows) - len(rows)
    rest = dcc.Link(f"{more} more", href="/drift" + view.filters.search()) if more > 0 else None
    return card("Needs attention", html.Ul(items, className="attention"), rest, wide=True)


def _workflows(view: View, shown: Figured) -> html.Section:
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
                        before and before["success_ratio"],
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
                                before and before["cost_per_success_usd"],
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
        html.Img(
            src=sparkline(
                points["cost_per_success_usd"].to_list(),
                split=points.filter(pl.col("bucket_at") < view.window.start).height,
            )
            or None,
            className="spark",
            alt="Trend of the cost per success",
        ),
        text.percent(reuse),
        html.Div(
            [
                html.Span(_score(score)),
                meter(score, f"readiness {_score(score)}", "warn" if score is None or score < 0.5 else ""),
                html.Span(words.link(readiness), className="under"),
            ],
            className="stack",
        ),
        text.percent(policy),
        dcc.Link(str(open_count), href="/drift" + view.filters.search(workflow=name)) if open_count else "0",
    ]


def _comparison(view: View, shown: Figured) -> html.Div:
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
                None if row["success_ratio"] is None else 100 * row["success_ratio"],
                100 * before["success_ratio"] if before and before["success_ratio"] is not None else None,
                is_worse=words.is_worse_success(row, before),
            )
        )
    lead = (
        f"Filled: {view.window.name.lower()}. Hollow: {view.window.previous_name}. A red diamond moved the wrong way by more than sampling explains."
        if view.window.is_comparable
        else "There is no earlier period to compare with."
    )
    return html.Div(
        [
            card(
                "Cost per successful outcome",
                graph(
                    changes(cost, text.usd, prefix="$"), "Cost per successful outcome of each workflow, now and before"
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

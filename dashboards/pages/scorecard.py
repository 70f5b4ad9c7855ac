"""The executive scorecard: is the fleet worth its money, can it be trusted, can it be undone."""

from __future__ import annotations

from dashboards import text, words
from dashboards.bridging import reasons
from dashboards.data import View
from dashboards.elements import dcc, html
from dashboards.figures.cost import trend
from dashboards.figures.sparkline import sparkline
from dashboards.pages import board, workflows
from dashboards.pages.asked import Asked, Page
from dashboards.pages.empty import nothing_matches
from dashboards.pages.figuring import Figured, figured
from dashboards.pages.parts import card, delta, family, graph, tile
from dashboards.pages.why import usage_of

PATH = "/"
TITLE = "Executive scorecard"


def page(asked: Asked) -> html.Div:
    """The scorecard of the workflows and the period that were asked for."""
    view = asked.view
    shown = figured(view)
    if not shown.now["runs"]:
        return html.Div([nothing_matches(view)])
    judged = board.expansions(asked, shown)
    return html.Div(
        [
            html.P([_summary(asked, shown), " ", _reason(asked, shown)], className="summary"),
            html.Div([_hero(view, shown), _tiles(view, shown)], className="hero"),
            _targets(asked, shown),
            _attention(view, shown),
            board.safe_to_expand(asked, shown, judged),
            workflows.scores(view, shown),
            board.kept_in_hand(asked),
            workflows.comparison(view, shown) if len(shown.workflows) > 1 else None,
        ]
    )


def _summary(asked: Asked, shown: Figured) -> str:
    view, now, change = asked.view, shown.now, shown.cost_change
    who = text.plain(view.filters.workflow) if view.filters.workflow else f"{len(shown.workflows)} workflows"
    if asked.whole:
        who = f"{asked.whole}, {len(shown.workflows)} that ran"
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


def _reason(asked: Asked, shown: Figured) -> str:
    """Why the cost moved, in words; empty where it did not, or by no more than sampling explains."""
    view = asked.view
    if not view.window.is_comparable:
        return ""
    said = reasons(view.cohorts, usage_of(asked), shown.now, shown.before, None)
    return f"{said[:1].upper()}{said[1:]}." if said else ""


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


def _targets(asked: Asked, shown: Figured) -> html.P | None:
    """How the figures stand beside the catalog's targets: of the workflow chosen, else how many workflows meet theirs."""
    wanted = board.objectives(asked)
    found = []
    for column, figure, said, is_cost in (
        ("success_ratio_objective", "success_ratio", "success", False),
        ("cost_per_success_usd_objective", "cost_per_success_usd", "cost per success", True),
        ("escalation_ratio_objective", "escalation_ratio", "escalations", True),
    ):
        pairs = [
            (row[figure], wanted[row["workflow"]][column])
            for row in shown.workflows
            if row["workflow"] in wanted and wanted[row["workflow"]][column] is not None and row[figure] is not None
        ]
        if not pairs:
            continue
        met = sum(1 for value, target in pairs if (value <= target if is_cost else value >= target))
        if asked.filters.workflow:
            value, target = pairs[0]
            shape = text.usd if "usd" in figure else text.percent
            found.append(
                f"{said} {shape(value)}, target {'at most' if is_cost else 'at least'} {shape(target)}: "
                f"{'met' if met else 'missed'}"
            )
        else:
            found.append(f"{said}: {met} of {len(pairs)} workflows meet theirs")
    if not found:
        return None
    return html.P(f"Targets of the catalog: {'; '.join(found)}.", className="targets")


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
                    now["success_ratio"], words.known(before, "success_ratio"), against=against, noise=success_noise
                ),
                foot=f"{text.count(now['successes'])} successes",
                trend=spark["success_ratio"],
            ),
            tile(
                "Runs",
                text.count(now["runs"]),
                key="runs",
                change=words.changed(now["runs"], words.known(before, "runs"), against=against, lower_is_better=None),
                foot=f"{text.count(now['pending_runs'])} pending",
                trend=spark["runs"],
            ),
            tile(
                "Reuse rate",
                text.percent(shown.reuse.now),
                key="reuse_ratio",
                coverage=f"{text.count(shown.reuse.whole)} component invocations",
                change=words.moved(shown.reuse.now, shown.reuse.before, against=against, noise=shown.reuse.noise),
                foot="of component invocations" if shown.reuse.now is not None else "no component invocation seen",
                trend=sparkline(shown.reuse.trend, split=shown.reuse.split),
            ),
            tile(
                "Policy adherence",
                text.percent(shown.policy.now),
                key="policy_adherence",
                coverage=f"{text.count(shown.policy.whole)} policy decisions",
                change=words.moved(shown.policy.now, shown.policy.before, against=against, noise=shown.policy.noise),
                foot=f"of {text.count(shown.policy.whole)} decisions"
                if shown.policy.whole
                else "no policy decision seen",
                trend=sparkline(shown.policy.trend, split=shown.policy.split),
            ),
            tile(
                "Rollback readiness",
                words.score(weakest.get("score") if weakest else None),
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


def _weakest(shown: Figured, is_fleet: bool) -> str:
    if not shown.weakest:
        return "no workflow measured"
    if not is_fleet:
        return words.link(shown.weakest)
    wrong = shown.weakest.get("detail") or words.link(shown.weakest)
    return f"weakest: {text.plain(shown.weakest['workflow'], 28)}, {text.plain(wrong, 90)}"


def _attention(view: View, shown: Figured) -> html.Section | None:
    rows = shown.open_rows[:5]
    if not rows:
        return None
    items = [
        html.Li(
            [
                family(row["family"]),
                html.Div(
                    [
                        dcc.Link(
                            words.headline(row),
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


PAGE = Page(PATH, TITLE, "Scorecard", page, "scorecard.html", is_live=True)

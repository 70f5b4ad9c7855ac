"""Budget, burn and landing on the cost page: where the month ends, and how each budget of the catalog stands."""

from __future__ import annotations

from typing import Any

from dashboards import budgeting, text
from dashboards.budgeting import Month
from dashboards.elements import dcc, html
from dashboards.figures.budget import fan
from dashboards.pages.asked import Asked
from dashboards.pages.parts import Column, card, graph, meter, pill, stack, table

_COLUMNS = (
    Column("Budget of"),
    Column("State"),
    Column("Spent", True),
    Column("Burn, 1 d / 7 d", True, key="burn"),
    Column("Month's end", True),
    Column("Past error", True),
)
_SCOPES = {"workflow": "workflow", "team": "team", "cost_center": "cost center"}
# More budgets than this need a filter.
_MOST = 60


def budget(asked: Asked, beside: html.Section | None) -> html.Div:
    """Forecast of the month with `beside` at its side, and the budgets, of what the filters choose."""
    given, view = asked.filters, asked.view
    spend = asked.reader.kept("spend_by_day", [given.workflow, given.environment, given.team, given.release])
    found = budgeting.month(spend, view.extent.latest_at.date())
    rows: list[dict[str, Any]] = []
    if "budgets_monthly" in asked.reader.tables():
        rows = asked.reader.kept("budgets", [given.workflow, given.team]).to_dicts()
    return html.Div([html.Div([_forecast(asked, found, rows), beside], className="pair"), _budgets(asked, rows)])


def _own_budget(asked: Asked, rows: list[dict[str, Any]]) -> float | None:
    """The budget of exactly what is shown: of the workflow, else of the team; none under other filters."""
    given = asked.filters
    if given.environment or given.release:
        return None
    wanted = ("workflow", given.workflow) if given.workflow else ("team", given.team)
    return next((row["budget_usd"] for row in rows if (row["scope"], row["name"]) == wanted), None)


def _forecast(asked: Asked, found: Month | None, rows: list[dict[str, Any]]) -> html.Section:
    title = "Where the month will land"
    if found is None:
        return card(title, html.P("No cost is known in the newest month.", className="under"), key="landing")
    lead = f"{text.usd(found.spent[-1])} spent in {found.first:%B %Y} up to {found.today.day} {found.today:%b}"
    if found.ahead:
        lead += (
            f"; {text.usd(found.expected[-1])} expected at its end, between {text.usd(found.low[-1])} and "
            f"{text.usd(found.high[-1])} (90\u202f% interval)."
        )
    else:
        lead += "."
    told = found.lacks or _judged(found)
    return card(
        title,
        graph(fan(found, _own_budget(asked, rows)), lead),
        html.P(told, className="under"),
        key="landing",
        coverage=f"{text.percent(found.coverage_ratio)} of the month's runs have a known cost; "
        f"{text.count(found.complete_days)} complete days are known",
        lead=lead,
    )


def _judged(found: Month) -> str:
    if found.judged is None:
        return f"Rests on {found.complete_days} complete days: too few to say how well earlier weeks would have been foretold."
    return (
        f"Backtest: {found.judged.forecasts} earlier weeks foretold in the same way missed by "
        f"{text.percent(found.judged.error)} on average; the interval held {text.percent(found.judged.covered)} of them "
        "(aimed at 90\u202f%)."
    )


def _budgets(asked: Asked, rows: list[dict[str, Any]]) -> html.Section:
    title = "Budgets"
    if not rows:
        none = (
            "No budget of the catalog covers this."
            if asked.filters.workflow or asked.filters.team
            else "There is no budget yet."
        )
        todo = [
            f"{none} Give a workflow ",
            html.Code("budget_usd_per_month"),
            ", or a team or cost center one below ",
            html.Code("budgets"),
            " in catalog.yaml, then run ",
            html.Code("plumbline refresh"),
            ".",
        ]
        return card(title, html.P(todo, className="under"), key="budget", wide=True)
    covered = [row for row in rows if row["coverage_ratio"] is not None]
    least = min((row["coverage_ratio"] for row in covered), default=None)
    month = rows[0]["month"]
    return card(
        title,
        table(_COLUMNS, [_row(asked, row) for row in rows[:_MOST]], caption="Budgets, the fullest first", kind="cards"),
        key="budget",
        coverage=f"at least {text.percent(least)} of the runs behind each have a known cost"
        if least is not None
        else "",
        lead=f"{month:%B %Y}, the fullest first. Whole budgets: environments and releases are not told apart."
        + (f" {len(rows) - _MOST} more are not shown." if len(rows) > _MOST else ""),
        wide=True,
    )


def _row(asked: Asked, row: dict[str, Any]) -> list[Any]:
    state, tone = budgeting.standing(row)
    burning = " / ".join(text.UNKNOWN if row[name] is None else f"{row[name]:.2f}" for name in ("burn_1d", "burn_7d"))
    landing = text.usd(row["landing_usd"])
    interval = (
        f"{text.usd(row['landing_low_usd'])} – {text.usd(row['landing_high_usd'])}"
        if row["landing_low_usd"] is not None
        else "too few days"
    )
    name = text.plain(row["name"], 36)
    link = None
    if row["scope"] in {"workflow", "team"}:
        link = "/cost" + asked.filters.search(**{row["scope"]: row["name"]})
    return [
        html.Div(
            [
                dcc.Link(name, href=link, className="name") if link else html.Span(name, className="name"),
                html.Span(_SCOPES.get(row["scope"], row["scope"]), className="under"),
            ],
            className="stack",
        ),
        pill(state, tone),
        html.Div(
            [
                html.Span(f"{text.usd(row['spent_usd'])} of {text.usd(row['budget_usd'])}"),
                meter(
                    row["used_ratio"],
                    f"{text.percent(row['used_ratio'])} used",
                    "warn" if tone in {"bad", "warn"} else "",
                ),
                html.Span(f"{text.percent(row['used_ratio'])} used", className="under"),
            ],
            className="stack",
        ),
        stack(burning, "burns" if row["is_burning"] else None),
        stack(landing, interval),
        text.percent(row["backtest_error_ratio"]),
    ]

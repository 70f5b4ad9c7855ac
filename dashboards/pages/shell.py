"""What surrounds every page: the bar with its tabs, the filters, the line that says how fresh the figures are."""

from __future__ import annotations

from dash import dcc, html

from dashboards import text
from dashboards.data import Extent, View
from dashboards.filters import PERIODS, Filters
from dashboards.pages import cost, drift, scorecard

# Address → short name on the tab.
TABS = {scorecard.PATH: "Scorecard", cost.PATH: "Cost", drift.PATH: "Drift"}
TITLES = {scorecard.PATH: scorecard.TITLE, cost.PATH: cost.TITLE, drift.PATH: drift.TITLE}


def bar(links: dict[str, str], current: str) -> html.Header:
    """The bar on top.

    Parameters
    ----------
    links : dict
        Address of each tab → where it leads.
    current : str
        Address of the page shown.
    """
    tabs = [
        dcc.Link(name, href=links[path], className="tab current" if path == current else "tab")
        for path, name in TABS.items()
    ]
    return html.Header(
        [
            html.Div(
                [html.Span(className="mark", **{"aria-hidden": "true"}), html.Span("Plumbline")], className="brand"
            ),
            html.Nav(tabs, **{"aria-label": "Pages"}),
            html.Button("Theme: auto", id="theme", className="theme", type="button"),
        ],
        className="bar",
    )


def controls(extent: Extent | None, filters: Filters) -> html.Div:
    """The filters; their values live in the address (assets/address.js)."""

    def choice(name: str, label: str, values: list[tuple[str, str]], chosen: str | None, everything: str) -> html.Div:
        options = [{"label": everything, "value": ""}, *({"label": shown, "value": value} for value, shown in values)]
        picker = dcc.Dropdown(
            id=f"filter-{name}",
            options=options,
            value=chosen or "",
            clearable=False,
            searchable=len(values) > 12,
            className="pick",
        )
        return html.Div([html.Label(label, htmlFor=f"filter-{name}"), picker], className="filter")

    def listed(known: tuple[str, ...], chosen: str | None) -> list[tuple[str, str]]:
        # A value from the address that the data do not have stays choosable, so that the control shows what is filtered.
        return [
            (value, text.plain(value, 48)) for value in (*known, *((chosen,) if chosen and chosen not in known else ()))
        ]

    workflows, environments = (extent.workflows, extent.environments) if extent else ((), ())
    return html.Div(
        [
            choice(
                "workflow", "Workflow", listed(workflows[:2000], filters.workflow), filters.workflow, "All workflows"
            ),
            choice(
                "environment",
                "Environment",
                listed(environments[:200], filters.environment),
                filters.environment,
                "All environments",
            ),
            choice(
                "period", "Period", [(key, name) for key, (name, _) in PERIODS.items()], filters.period, "Automatic"
            ),
        ],
        className="filters",
    )


def heading(path: str, view: View | None) -> html.Div:
    """Title of the page, and what it covers."""
    lines = []
    if view is not None:
        shown = view.window
        scope = f"{shown.name}: {text.when(shown.start)} to {text.when(view.extent.latest_at)}"
        if shown.is_comparable:
            scope += f", against {shown.previous_name}"
        lines.append(html.P(scope, className="scope"))
        if view.filters.environment:
            lines.append(html.P("Reuse, rollback readiness and incidents cover all environments.", className="scope"))
    return html.Div([html.H1(TITLES.get(path, "Plumbline")), *lines], className="title")

"""What surrounds every page: the bar with its tabs, the filters, the line that says how fresh the figures are."""

from __future__ import annotations

from dash import dcc, html

from dashboards import text
from dashboards.data import Extent, View
from dashboards.filters import PERIODS, Filters
from dashboards.pages import cost, drift, releases, scorecard
from dashboards.pages.parts import attributes

Option = dict[str, str]

# Address → short name on the tab.
TABS = {scorecard.PATH: "Scorecard", cost.PATH: "Cost", releases.PATH: "Releases", drift.PATH: "Drift"}
TITLES = {page.PATH: page.TITLE for page in (scorecard, cost, releases, drift)}


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
        dcc.Link(name, href=links[path], className="page-tab current" if path == current else "page-tab")
        for path, name in TABS.items()
    ]
    return html.Header(
        [
            html.Div(
                [html.Span(className="mark", **attributes(aria_hidden="true")), html.Span("Plumbline")],
                className="brand",
            ),
            html.Nav(tabs, **attributes(aria_label="Pages")),
            html.Button("Theme: auto", id="theme", className="theme", type="button"),
        ],
        className="bar",
    )


def controls(extent: Extent | None, filters: Filters) -> html.Div:
    """The filters; their values live in the address (assets/address.js)."""
    workflows, environments = offered(extent, filters)
    periods = [_option("", "Automatic"), *(_option(key, name) for key, (name, _) in PERIODS.items())]
    return html.Div(
        [
            _choice("workflow", "Workflow", workflows, filters.workflow),
            _choice("environment", "Environment", environments, filters.environment),
            _choice("period", "Period", periods, filters.period),
        ],
        className="filters",
    )


def offered(extent: Extent | None, filters: Filters) -> tuple[list[Option], list[Option]]:
    """What the workflow and the environment filter offer.

    A value from the address that the data do not have is offered too, so that the control shows what is filtered.
    """
    workflows, environments = (extent.workflows, extent.environments) if extent else ((), ())
    return (
        [_option("", "All workflows"), *_listed(workflows[:2000], filters.workflow)],
        [_option("", "All environments"), *_listed(environments[:200], filters.environment)],
    )


def _listed(known: tuple[str, ...], chosen: str | None) -> list[Option]:
    values = known if chosen is None or chosen in known else (*known, chosen)
    return [_option(value, text.plain(value, 48)) for value in values]


def _option(value: str, name: str) -> Option:
    return {"label": name, "value": value}


def _choice(name: str, label: str, options: list[Option], chosen: str | None) -> html.Div:
    picker = dcc.Dropdown(
        id=f"filter-{name}",
        options=options,
        value=chosen or "",
        clearable=False,
        searchable=len(options) > 12,
        maxHeight=340,
        className="pick",
    )
    return html.Div([html.Label(label, htmlFor=f"filter-{name}"), picker], className="filter")


def heading(path: str, view: View | None) -> html.Div:
    """Title of the page, and what it covers."""
    lines = []
    if view is not None and path == releases.PATH:
        lines = [html.P(line, className="scope") for line in releases.scope(view)]
    elif view is not None:
        shown = view.window
        scope = f"{shown.name}: {text.when(shown.start)} to {text.when(view.extent.latest_at)}"
        if shown.is_comparable:
            scope += f", against {shown.previous_name}"
        lines.append(html.P(scope, className="scope"))
        if view.filters.environment:
            lines.append(html.P("Reuse, rollback readiness and incidents cover all environments.", className="scope"))
    return html.Div([html.H1(TITLES.get(path, "Plumbline")), *lines], className="title")

"""What surrounds every page: the bar with its tabs, the filters, the line that says how fresh the figures are."""

from __future__ import annotations

from dash.development.base_component import Component

from dashboards import text
from dashboards.access.viewer import Viewer
from dashboards.data import Extent, View
from dashboards.elements import dcc, html
from dashboards.filters import LONGEST_VALUE, PERIODS, Filters
from dashboards.pages.asked import Page
from dashboards.pages.parts import attributes
from dashboards.pages.registry import BY_PATH, PAGES

Option = dict[str, str]

# Filters whose values come from the data → their label, what no choice means, and how many are offered at most.
OFFERED = {
    "workflow": ("Workflow", "All workflows", 2000),
    "environment": ("Environment", "All environments", 200),
    "team": ("Team", "All teams", 500),
    "release": ("Release", "All releases", 1000),
}
# Every filter with a control of its own, in order.
CONTROLS = (*OFFERED, "period")


def bar(links: dict[str, str], current: str) -> html.Header:
    """The bar on top.

    Parameters
    ----------
    links : dict
        Address of each tab → where it leads.
    current : str
        Address of the page shown.
    """
    shown = [page for page in PAGES if page.is_tab]
    named = next((page.tab for page in PAGES if page.path == current), "Pages")
    menu = html.Details(
        [html.Summary(named), html.Div(_tabs(shown, links, current), className="pages-list")], className="pages"
    )
    return html.Header(
        [
            html.Div(
                [html.Span(className="mark", **attributes(aria_hidden="true")), html.Span("Plumbline")],
                className="brand",
            ),
            # One of the two is shown, by the width of the page.
            html.Nav(_tabs(shown, links, current), className="pages-row", **attributes(aria_label="Pages")),
            html.Nav(menu, className="pages-menu", **attributes(aria_label="Menu of pages")),
            html.Div(
                [
                    html.Button("Local", id="zone", className="zone", type="button"),
                    html.Button("Auto", id="theme", className="theme", type="button"),
                ],
                className="bar-buttons",
            ),
        ],
        className="bar",
    )


def signed(bar: Component, who: Viewer) -> Component:
    """The bar with the name of whoever is signed in, which leads to the account; as it is where nobody signs in."""
    if not who.name:
        return bar
    name = text.plain(who.name, 64)
    link = html.A(name, href="/account", className="who", title=f"{name}, {who.role}: account and signing out")
    # A copy: the bar is kept for everybody who sees the same.
    return html.Header([*getattr(bar, "children", []), link], className="bar")


def _tabs(pages: list[Page], links: dict[str, str], current: str) -> list[dcc.Link]:
    return [
        dcc.Link(page.tab, href=links[page.path], className="page-tab current" if page.path == current else "page-tab")
        for page in pages
    ]


def footer(line: str, figures: str) -> html.Footer:
    """The last line of every page; `figures` is where the definitions of all figures are."""
    return html.Footer([f"{line} ", dcc.Link("Every figure with its formula and SQL", href=figures), "."])


def controls(extent: Extent | None, filters: Filters) -> html.Div:
    """The filters; their values live in the address (assets/address.js)."""
    offers = offered(extent, filters)
    periods = [_option("", "Automatic"), *(_option(key, name) for key, (name, _) in PERIODS.items())]
    return html.Div(
        [
            *(_choice(name, OFFERED[name][0], options, getattr(filters, name)) for name, options in offers.items()),
            _choice("period", "Period", periods, filters.period),
        ],
        className="filters",
    )


def offered(extent: Extent | None, filters: Filters) -> dict[str, list[Option]]:
    """What each filter of `OFFERED` offers.

    A value from the address that the data do not have is offered too, so that the control shows what is filtered.
    """
    return {
        name: [
            _option("", everything),
            *_listed(getattr(extent, f"{name}s")[:most] if extent else (), getattr(filters, name)),
        ]
        for name, (_, everything, most) in OFFERED.items()
    }


def _listed(known: tuple[str, ...], chosen: str | None) -> list[Option]:
    values = known if chosen is None or chosen in known else (*known, chosen)
    # An address can't hold a longer one, so it can't be chosen.
    return [_option(value, text.plain(value, 48)) for value in values if len(value) <= LONGEST_VALUE]


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


def heading(path: str, view: View | None, chosen: str = "") -> html.Div:
    """Title of the page, and what it covers; `chosen` says what it is narrowed to where no controls do."""
    page = BY_PATH.get(path)
    lines = [html.P(line, className="scope") for line in page.scope(view)] if page and view else []
    narrowed = html.P(chosen, className="scope") if chosen else None
    return html.Div([html.H1(page.title if page else "Plumbline"), narrowed, *lines], className="title")

"""The Dash app: one page address in, one page out.

Stands at the end of the flow: queries → frames → figures → pages → app. The address holds every filter, so one callback
renders any page; nothing is kept per visitor.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import duckdb
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboards import security
from dashboards.data import Reader, View
from dashboards.data import State as DataState
from dashboards.errors import DashboardError
from dashboards.filters import Filters
from dashboards.pages import cost, drift, empty, releases, scorecard, shell
from warehouse import WarehouseError

log = logging.getLogger(__name__)

ASSETS = Path(__file__).parent / "assets"

# How often an open page asks whether anything changed, in milliseconds.
_ASK_MS = 4_000

# A page is some hundred kilobytes.
_PAGES_KEPT = 48

# Bar, heading and content.
Shown = tuple[Component, Component, Component]

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
{%favicon%}
{%css%}
<script src="THEME"></script>
</head>
<body>
{%app_entry%}
{%config%}
{%scripts%}
{%renderer%}
</body>
</html>
"""


def create_app(home: Path) -> Dash:
    """The dashboard of Plumbline home `home`; it may be empty, or appear later.

    Parameters
    ----------
    home : Path
        Holds ``warehouse/``.
    """
    reader = Reader(home)
    app = Dash(
        "plumbline",
        assets_folder=str(ASSETS),
        # theme.js is loaded in the head, before anything is painted.
        assets_ignore=r"theme\.js",
        title="Plumbline",
        update_title="",
        serve_locally=True,
        enable_mcp=False,
        health_endpoint="health",
        suppress_callback_exceptions=True,
        add_log_handler=False,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1"},
            {"name": "color-scheme", "content": "light dark"},
        ],
        on_error=None,
    )
    app.index_string = _PAGE.replace("THEME", app.get_asset_url("theme.js"))
    app.layout = lambda: _layout(reader)
    _wire(app, reader)
    security.harden(app)
    return app


def _layout(reader: Reader) -> html.Div:
    try:
        extent = reader.extent() if reader.state() is DataState.READY else None
        revision = reader.revision()
    except (WarehouseError, duckdb.Error):
        extent, revision = None, None
    return html.Div(
        [
            dcc.Location(id="address", refresh="callback-nav"),
            dcc.Store(id="revision", data=revision),
            dcc.Interval(id="clock", interval=_ASK_MS),
            html.A("Skip to content", href="#content", className="skip"),
            html.Div(shell.bar({path: path for path in shell.TABS}, ""), id="bar"),
            html.Main(
                [
                    html.Div([html.Div(id="heading"), shell.controls(extent, Filters())], className="top"),
                    html.Div(html.Div(className="waiting"), id="content", tabIndex="-1"),
                ]
            ),
            html.Footer(
                "Figures are computed from the warehouse. The question mark beside each says how. All times are UTC."
            ),
        ],
        className="page",
    )


def _wire(app: Dash, reader: Reader) -> None:
    pages = Kept(reader)
    controls = [f"filter-{name}" for name in ("workflow", "environment", "period")]
    # The address and the controls follow each other: whichever changed wins.
    app.clientside_callback(
        ClientsideFunction("plumbline", "follow"),
        Output("address", "search"),
        *[Output(name, "value") for name in controls],
        Input("address", "search"),
        *[Input(name, "value") for name in controls],
    )

    @app.callback(
        Output("bar", "children"),
        Output("heading", "children"),
        Output("content", "children"),
        Input("address", "pathname"),
        Input("address", "search"),
        Input("revision", "data"),
    )
    def show(pathname: str | None, search: str | None, _revision: str | None) -> Shown:
        return render(pages, pathname or "/", Filters.parse(search))

    @app.callback(
        Output("revision", "data"),
        Input("clock", "n_intervals"),
        State("revision", "data"),
        prevent_initial_call=True,
    )
    def ask(_ticks: int | None, known: str | None) -> Any:
        try:
            now = reader.revision()
        except (WarehouseError, duckdb.Error):
            return no_update
        return no_update if now == known else now

    @app.callback(
        *[Output(name, "options") for name in controls[:2]],
        Input("revision", "data"),
        State("address", "search"),
        prevent_initial_call=True,
    )
    def offer(_revision: str | None, search: str | None) -> Any:
        try:
            extent = reader.extent() if reader.state() is DataState.READY else None
        except (WarehouseError, duckdb.Error):
            return no_update, no_update
        return shell.offered(extent, Filters.parse(search))


class Kept:
    """Pages as last made, kept until the warehouse's next revision: many readers of one page cost one making of it."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._pages: OrderedDict[tuple[str, str, Filters], Shown] = OrderedDict()
        self._lock = threading.Lock()

    def made(self, path: str, filters: Filters) -> Shown:
        """The page at `path` under `filters`; one that fails raises, and is not kept."""
        key = (self._reader.revision(), path, filters)
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)
                return self._pages[key]
        made = _made(self._reader, path, filters)
        with self._lock:
            self._pages[key] = made
            while len(self._pages) > _PAGES_KEPT:
                self._pages.popitem(last=False)
        return made


def render(pages: Kept, path: str, filters: Filters) -> Shown:
    """Bar, heading and content of the page at `path` under `filters`; an error becomes a page that says what to do."""
    path = path.rstrip("/") or "/"
    if path not in shell.TABS:
        return _framed(path, filters, empty.unknown_page())
    try:
        return pages.made(path, filters)
    except (WarehouseError, DashboardError) as error:
        return _framed(path, filters, empty.broken(error.what, error.where, error.todo))
    except Exception:  # whatever it is, the reader gets a page that says what to do
        log.exception("page %s failed", path)
        todo = "run `plumbline doctor`; the log has the details"
        return _framed(path, filters, empty.broken("this page can't be made", "", todo))


def _made(reader: Reader, path: str, filters: Filters) -> Shown:
    state = reader.state()
    view = reader.view(filters) if state is DataState.READY else None
    if view is None:
        return _framed(path, filters, empty.not_ready(state))
    return _framed(path, filters, content_of(reader, path, view), view)


def _framed(path: str, filters: Filters, content: Component, view: View | None = None) -> Shown:
    links = {tab: tab + filters.search(incident=None, before=None, after=None) for tab in shell.TABS}
    return shell.bar(links, path), shell.heading(path, view), content


def content_of(reader: Reader, path: str, view: View, *, is_report: bool = False) -> html.Div:
    """The page at `path`, with a word above it when its figures lag behind the stream."""
    if path == cost.PATH:
        page = cost.page(view)
    elif path == drift.PATH:
        page = drift.page(view, reader, is_report=is_report)
    elif path == releases.PATH:
        page = releases.page(view, reader, is_report=is_report)
    else:
        page = scorecard.page(view)
    return html.Div([empty.lag(view), page])

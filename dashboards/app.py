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
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update
from dash.development.base_component import Component

from dashboards import downloads, security
from dashboards.data import Reader, View
from dashboards.data import State as DataState
from dashboards.desk import ACTS, Desk
from dashboards.errors import DashboardError
from dashboards.filters import Filters
from dashboards.pages import empty, shell
from dashboards.pages.asked import Asked
from dashboards.pages.parts import attributes
from dashboards.pages.registry import BY_PATH, OF_ONE_PAGE, PAGES
from warehouse import WarehouseError

log = logging.getLogger(__name__)

ASSETS = Path(__file__).parent / "assets"

# How often an open page asks whether anything changed, in milliseconds.
_ASK_MS = 4_000

# The longest silence that a page asks for, in hours.
_MOST_HOURS = 24 * 90

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


def create_app(home: Path, desk: Desk | None = None) -> Dash:
    """The dashboard of Plumbline home `home`; it may be empty, or appear later.

    Parameters
    ----------
    home : Path
        Holds ``warehouse/``.
    desk : Desk | None
        Takes what people answer to incidents; without it pages show the commands.
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
    _wire(app, reader, desk)
    downloads.install(app.server, lambda: reader, {name: rows for page in PAGES for name, rows in page.files.items()})
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
            html.Div(shell.bar({page.path: page.path for page in PAGES}, ""), id="bar"),
            html.Main(
                [
                    html.Div([html.Div(id="heading"), shell.controls(extent, Filters())], className="top"),
                    html.P(id="told", className="told", **attributes(role="status", aria_live="polite")),
                    html.Div(html.Div(className="waiting"), id="content", tabIndex="-1"),
                ]
            ),
            html.Footer(
                "Figures are computed from the warehouse. The question mark beside each says how. All times are UTC."
            ),
        ],
        className="page",
    )


def _wire(app: Dash, reader: Reader, desk: Desk | None) -> None:
    pages = Kept(reader, can_act=desk is not None)
    if desk is not None:
        _wire_answers(app, reader, desk)
    controls = [f"filter-{name}" for name in shell.CONTROLS]
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
        *[Output(f"filter-{name}", "options") for name in shell.OFFERED],
        Input("revision", "data"),
        State("address", "search"),
        prevent_initial_call=True,
    )
    def offer(_revision: str | None, search: str | None) -> Any:
        try:
            extent = reader.extent() if reader.state() is DataState.READY else None
        except (WarehouseError, duckdb.Error):
            return [no_update] * len(shell.OFFERED)
        return list(shell.offered(extent, Filters.parse(search)).values())


def _wire_answers(app: Dash, reader: Reader, desk: Desk) -> None:
    """Let the buttons of the incident page ask the API; what it says stands above the page until another is opened."""

    @app.callback(
        Output("told", "children"),
        Output("told", "className"),
        Output("revision", "data", allow_duplicate=True),
        Input({"act": ALL}, "n_clicks"),
        State({"act": ALL}, "id"),
        State("address", "search"),
        State("act-who", "value", allow_optional=True),
        State("act-why", "value", allow_optional=True),
        State("act-hours", "value", allow_optional=True),
        prevent_initial_call=True,
    )
    def answer(
        clicks: list[int | None],
        _names: list[dict[str, str]],
        search: str | None,
        who: str | None,
        why: str | None,
        hours: float | None,
    ) -> Any:
        pressed, incident = ctx.triggered_id, Filters.parse(search).incident
        if not any(clicks) or not isinstance(pressed, dict) or pressed.get("act") not in ACTS or not incident:
            return no_update, no_update, no_update
        said = desk.act(pressed["act"], incident, who=str(who or ""), why=str(why or ""), hours=_number(hours))
        shown = "told good" if said.is_done else "told bad"
        try:
            now = reader.revision() if said.is_done else no_update
        except (WarehouseError, duckdb.Error):
            now = no_update
        return said.line, shown, now

    @app.callback(
        Output("told", "children", allow_duplicate=True),
        Output("told", "className", allow_duplicate=True),
        Input("address", "pathname"),
        Input("address", "search"),
        prevent_initial_call=True,
    )
    def forget(_path: str | None, _search: str | None) -> tuple[str, str]:
        return "", "told"


def _number(hours: Any) -> float | None:
    return hours if isinstance(hours, (int, float)) and 0 < hours <= _MOST_HOURS else None


class Kept:
    """Pages as last made, kept until the warehouse's next revision: many readers of one page cost one making of it."""

    def __init__(self, reader: Reader, *, can_act: bool = False) -> None:
        self._reader, self._can_act = reader, can_act
        self._pages: OrderedDict[tuple[str, str, Filters], Shown] = OrderedDict()
        self._lock = threading.Lock()
        self._turns: dict[tuple[str, str, Filters], threading.Lock] = {}

    def made(self, path: str, filters: Filters) -> Shown:
        """The page at `path` under `filters`; one that fails raises, and is not kept."""
        key = (self._reader.revision(), path, filters)
        with self._lock:
            if key in self._pages:
                self._pages.move_to_end(key)
                return self._pages[key]
            turn = self._turns.setdefault(key, threading.Lock())
        # After a revision everybody who has the page open asks at once: one makes it, the others wait for that.
        with turn:
            with self._lock:
                if key in self._pages:
                    return self._pages[key]
            try:
                made = _made(self._reader, path, filters, can_act=self._can_act)
                with self._lock:
                    self._pages[key] = made
                    while len(self._pages) > _PAGES_KEPT:
                        self._pages.popitem(last=False)
            finally:
                with self._lock:
                    self._turns.pop(key, None)
        return made


def render(pages: Kept, path: str, filters: Filters) -> Shown:
    """Bar, heading and content of the page at `path` under `filters`; an error becomes a page that says what to do."""
    path = path.rstrip("/") or "/"
    if path not in BY_PATH:
        return _framed(path, filters, empty.unknown_page())
    try:
        return pages.made(path, filters)
    except (WarehouseError, DashboardError) as error:
        return _framed(path, filters, empty.broken(error.what, error.where, error.todo))
    except Exception:  # whatever it is, the reader gets a page that says what to do
        log.exception("page %s failed", path)
        todo = "run `plumbline doctor`; the log has the details"
        return _framed(path, filters, empty.broken("this page can't be made", "", todo))


def _made(reader: Reader, path: str, filters: Filters, *, can_act: bool) -> Shown:
    state = reader.state()
    view = reader.view(filters) if state is DataState.READY else None
    if view is None:
        return _framed(path, filters, empty.not_ready(state))
    return _framed(path, filters, content_of(reader, path, view, can_act=can_act), view)


def _framed(path: str, filters: Filters, content: Component, view: View | None = None) -> Shown:
    elsewhere = filters.search(**dict.fromkeys(OF_ONE_PAGE))
    links = {page.path: page.path + elsewhere for page in PAGES}
    return shell.bar(links, path), shell.heading(path, view), content


def content_of(reader: Reader, path: str, view: View, *, is_report: bool = False, can_act: bool = False) -> html.Div:
    """The page at `path`, with a word above it when its figures lag behind the stream."""
    content = BY_PATH[path].content(Asked(view, reader, is_report=is_report, can_act=can_act))
    return html.Div([empty.lag(view), content])

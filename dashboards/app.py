"""The Dash app: one page address in, one page out.

Stands at the end of the flow: queries → frames → figures → pages → app. The address holds every filter, so one callback
renders any page; nothing is kept per visitor.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import duckdb
import orjson
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.development.base_component import Component

from dashboards import answering, downloads, security
from dashboards.access import gate as gates
from dashboards.access import signing
from dashboards.access.gate import Gate
from dashboards.access.options import Access
from dashboards.access.readers import Readers
from dashboards.access.viewer import Role, Viewer
from dashboards.data import Reader, View
from dashboards.data import State as DataState
from dashboards.desk import Desk
from dashboards.encoded import encoded
from dashboards.errors import DashboardError
from dashboards.filters import Filters
from dashboards.makers import Makers
from dashboards.pages import empty, figures, shell
from dashboards.pages.asked import Asked
from dashboards.pages.parts import attributes
from dashboards.pages.registry import BY_PATH, OF_ONE_PAGE, PAGES
from dashboards.pages.times import timed
from dashboards.still import stilled
from dashboards.views import revision_of
from warehouse import WarehouseError

log = logging.getLogger(__name__)

#: Where the Flask app keeps its `Shelf`, among its extensions.
SHELF = "plumbline"

ASSETS = Path(__file__).parent / "assets"

# How often an open page asks whether anything changed, in milliseconds.
_ASK_MS = 2_000

# A page is some hundred kilobytes of JSON; ten pages under a hundred filters.
_PAGES_KEPT = 1_000

# How often it is looked whether the pages that most people open must be made anew, in seconds.
_READY_SECONDS = 2.0

# No page is kept for longer: each says how far the stream is ahead of its figures.
_KEPT_SECONDS = 300.0

# Scopes and roles whose pages are kept.
_SHELVES = 12

# Bar, heading and content; a kept page's heading and content are JSON, and go into an answer as they are.
Shown = tuple[Component, Any, Any]

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


def create_app(home: Path, desk: Desk | None = None, access: Access | None = None, *, host: str = "127.0.0.1") -> Dash:
    """The dashboard of Plumbline home `home`; it may be empty, or appear later.

    Parameters
    ----------
    home : Path
        Holds ``warehouse/``.
    desk : Desk | None
        Takes what people answer to incidents; without it pages show the commands.
    access : Access | None
        Who may ask, and how they say who they are; None is whoever sits at this machine.
    host : str
        Address that the server listens on.

    Raises
    ------
    DashboardError
        If sessions can't be kept.
    """
    access = access or Access()
    gate, readers = Gate(home, access), Readers(home)
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
    app.layout = lambda: _layout(readers)
    _wire(app, readers, desk, gate)
    files = {name: rows for page in PAGES for name, rows in page.files.items()}
    downloads.install(app.server, lambda: readers.reader_for(gates.viewer()), files)
    # The last one installed is asked first: what comes from another page ends before anybody is asked who it is.
    gate.install(app.server)
    security.harden(
        app, access.names(host), forms=gates.FORMS if gate.has_login else frozenset(), is_https=access.is_https
    )
    signing.install(app.server, gate)
    return app


def _layout(readers: Readers) -> html.Div:
    # Dash also asks for the layout before the first request has a viewer, to check it: nobody gets one without data.
    who = gates.viewer() if gates.has_viewer() else Viewer("", Role.VIEWER, frozenset())
    extent, revision = None, None
    try:
        if gates.has_viewer():
            reader = readers.reader_for(who)
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
            html.Div(shell.signed(shell.bar({page.path: page.path for page in PAGES}, ""), who), id="bar"),
            html.Main(
                [
                    html.Div([html.Div(id="heading"), shell.controls(extent, Filters())], className="top"),
                    html.P(id="told", className="told", **attributes(role="status", aria_live="polite")),
                    html.Div(html.Div(className="waiting"), id="content", tabIndex="-1"),
                ]
            ),
            shell.footer(
                "Figures are computed from the warehouse. The question mark beside each says how. Times are yours or UTC, as the "
                "button on top says; axes and the filter of periods are UTC.",
                figures.PATH,
            ),
        ],
        className="page",
    )


def _wire(app: Dash, readers: Readers, desk: Desk | None, gate: Gate) -> None:
    shelf = Shelf(readers, has_desk=desk is not None, has_names=gate.has_login)
    app.server.extensions[SHELF] = shelf
    if desk is not None:
        answering.wire(app, readers, desk)
    controls = [f"filter-{name}" for name in shell.CONTROLS]
    # The address and the controls follow each other: whichever changed wins.
    app.clientside_callback(
        ClientsideFunction("plumbline", "follow"),
        Output("address", "search"),
        *[Output(name, "value") for name in controls],
        Input("address", "search"),
        *[Input(name, "value") for name in controls],
    )

    # The search of the run explorer is written into the address when it is sent.
    app.clientside_callback(
        ClientsideFunction("plumbline", "search"),
        Output("address", "search", allow_duplicate=True),
        Input("search-q", "value"),
        State("address", "search"),
        prevent_initial_call=True,
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
        who = gates.viewer()
        bar, heading, content = render(shelf.pages_for(who), pathname or "/", Filters.parse(search))
        return shell.signed(bar, who), heading, content

    @app.callback(
        Output("revision", "data"),
        Input("clock", "n_intervals"),
        State("revision", "data"),
        State("address", "pathname"),
        prevent_initial_call=True,
    )
    def ask(_ticks: int | None, known: str | None, pathname: str | None) -> Any:
        try:
            now = readers.reader_for(gates.viewer()).lately()
        except (WarehouseError, duckdb.Error):
            return no_update
        is_live = _is_live(pathname or "/")
        return no_update if revision_of(now, is_live=is_live) == revision_of(known or "", is_live=is_live) else now

    @app.callback(
        *[Output(f"filter-{name}", "options") for name in shell.OFFERED],
        Input("revision", "data"),
        State("address", "search"),
        prevent_initial_call=True,
    )
    def offer(_revision: str | None, search: str | None) -> Any:
        reader = readers.reader_for(gates.viewer())
        try:
            extent = reader.extent() if reader.state() is DataState.READY else None
        except (WarehouseError, duckdb.Error):
            return [no_update] * len(shell.OFFERED)
        return list(shell.offered(extent, Filters.parse(search)).values())


def _is_live(path: str) -> bool:
    page = BY_PATH.get(path.rstrip("/") or "/")
    return page is None or page.is_live


class Pages:
    """Makes pages of what `reader` sees."""

    def __init__(self, reader: Reader, *, can_act: bool = False, has_names: bool = False) -> None:
        self.reader, self._can_act, self._has_names = reader, can_act, has_names

    def made(self, path: str, filters: Filters) -> Shown:
        """The page at `path` under `filters`."""
        with self.reader.settled():
            return _made(self.reader, path, filters, can_act=self._can_act, has_names=self._has_names)


_Key = tuple[str, str, Filters]

_making = Makers()


class Kept:
    """Pages as last made, kept as JSON until something that they show has changed: many readers cost one making."""

    def __init__(self, pages: Pages) -> None:
        self._maker = pages
        self._pages: OrderedDict[_Key, tuple[float, Shown]] = OrderedDict()
        self._lock = threading.Lock()
        self._turns: dict[_Key, threading.Lock] = {}

    @property
    def reader(self) -> Reader:
        """Reads what the pages show."""
        return self._maker.reader

    def made(self, path: str, filters: Filters) -> Shown:
        """The page at `path` under `filters`, heading and content in JSON; one that fails raises, and is not kept."""
        revision = revision_of(self.reader.revision(), is_live=_is_live(path))
        return self._written((revision, path, filters))

    def _written(self, key: _Key) -> Shown:
        found = self._found(key)
        if found is not None:
            return found
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        # After a revision everybody who has the page open asks at once: one makes it, the others wait for that.
        with turn:
            found = self._found(key)
            if found is not None:
                return found
            try:
                with _making:
                    bar, heading, content = self._maker.made(*key[1:])
                    shown = bar, orjson.Fragment(encoded(heading)), orjson.Fragment(encoded(stilled(content)))
                with self._lock:
                    self._pages[key] = (time.monotonic(), shown)
                    self._pages.move_to_end(key)
                    while len(self._pages) > _PAGES_KEPT:
                        self._pages.popitem(last=False)
            finally:
                with self._lock:
                    self._turns.pop(key, None)
        return shown

    def _found(self, key: _Key) -> Shown | None:
        with self._lock:
            made_at, shown = self._pages.get(key, (float("-inf"), None))
            if shown is None or time.monotonic() > made_at + _KEPT_SECONDS:
                return None
            self._pages.move_to_end(key)
            return shown


class Shelf:
    """The pages that are kept, apart by what their viewers see and may do: nobody gets a page that was made for another scope."""

    def __init__(self, readers: Readers, *, has_desk: bool = False, has_names: bool = False) -> None:
        self._readers, self._has_desk, self._has_names = readers, has_desk, has_names
        self._kept: dict[tuple[int, bool], tuple[Reader, Kept]] = {}
        self._lock = threading.Lock()

    def pages_for(self, who: Viewer) -> Kept:
        """Pages as `who` may see them."""
        return self._pages(self._readers.reader_for(who), can_act=self._has_desk and who.can_operate)

    def whole(self) -> Kept:
        """Pages as whoever may see and do everything sees them."""
        return self._pages(self._readers.reader_for(), can_act=self._has_desk)

    def _pages(self, reader: Reader, *, can_act: bool) -> Kept:
        with self._lock:
            # By the reader itself: while it is held here, no other has its id.
            _, kept = self._kept.setdefault(
                (id(reader), can_act), (reader, Kept(Pages(reader, can_act=can_act, has_names=self._has_names)))
            )
            while len(self._kept) > _SHELVES:
                self._kept.pop(next(iter(self._kept)))
            return kept


def keep_ready(shelf: Shelf, stop: threading.Event) -> None:
    """Make every page without filters, and again after each refresh, until `stop`: who opens one first need not wait."""
    pages, made = shelf.whole(), None
    while True:
        try:
            now = revision_of(pages.reader.revision(), is_live=False)
        except (WarehouseError, duckdb.Error):  # whoever opens a page is told
            now = made
        for page in PAGES if now != made else ():
            # Where there is always somebody, pages are made by who asks for them and, now and then, here.
            _making.wait_for_nobody(_READY_SECONDS)
            if not stop.is_set():
                render(pages, page.path, Filters())
        made = now
        if stop.wait(_READY_SECONDS):
            return


def render(pages: Pages | Kept, path: str, filters: Filters) -> Shown:
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


def _made(reader: Reader, path: str, filters: Filters, *, can_act: bool, has_names: bool) -> Shown:
    state = reader.state()
    view = reader.view(filters) if state is DataState.READY else None
    if view is None:
        return _framed(path, filters, empty.not_ready(state))
    return _framed(path, filters, content_of(reader, path, view, can_act=can_act, has_names=has_names), view)


def _framed(path: str, filters: Filters, content: Component, view: View | None = None) -> Shown:
    elsewhere = filters.search(**dict.fromkeys(OF_ONE_PAGE))
    links = {page.path: page.path + elsewhere for page in PAGES}
    return shell.bar(links, path), timed(shell.heading(path, view)), timed(content)


def content_of(
    reader: Reader, path: str, view: View, *, is_report: bool = False, can_act: bool = False, has_names: bool = False
) -> html.Div:
    """The page at `path`, with a word above it when its figures lag behind the stream."""
    content = BY_PATH[path].content(Asked(view, reader, is_report=is_report, can_act=can_act, has_names=has_names))
    return html.Div([empty.lag(view), content])

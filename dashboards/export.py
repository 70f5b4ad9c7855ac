"""Write each page as one HTML file that needs nothing else: the same pages and figures as the app, for mail and board packs.

The page's components become plain HTML, its graphs become data beside one inlined copy of plotly.js, and a
Content-Security-Policy inside the file forbids every request.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import html as escaping
from pathlib import Path
from typing import Any

from dash.development.base_component import Component
from plotly.offline import get_plotlyjs

from dashboards import text
from dashboards.data import Reader
from dashboards.data import State as DataState
from dashboards.encoded import encoded, properties
from dashboards.errors import DashboardError
from dashboards.filters import PERIODS, Filters
from dashboards.pages import shell
from dashboards.pages.figures import PATH as FIGURES
from dashboards.pages.registry import BY_PATH, PAGES
from dashboards.pages.times import timed
from dashboards.views import Extent

ASSETS = Path(__file__).parent / "assets"

# Filters that a report may be narrowed by, besides the period.
_FILTERS = ("environment", "team", "workflow", "release")

# Page → file name.
FILES = {page.path: page.file for page in PAGES}

_FOOT = (
    "Written from the warehouse; it needs no network. The question mark beside each figure says how it is computed. "
    "Times are yours "
    "or UTC, as the button on top says; axes are UTC."
)

# Scripts of the app that a file carries too.
_CARRIED = ("theme.js", "zone.js", "frame.js")

_DRAW = """(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("figures").textContent);
  data.forEach(function (figure, index) {
    Plotly.newPlot("figure-" + index, figure.data, figure.layout, figure.config);
  });
})();"""

# Components that are not elements of HTML, and attributes that are named otherwise in it.
_VOID = frozenset({"img", "br", "hr", "wbr"})
_ATTRIBUTES = {
    "className": "class",
    "htmlFor": "for",
    "tabIndex": "tabindex",
    "colSpan": "colspan",
    "rowSpan": "rowspan",
    "dateTime": "datetime",
}


def export(home: Path, out: Path, *, filters: Filters | None = None) -> list[Path]:
    """The files written into directory `out`, one per page.

    Parameters
    ----------
    home : Path
        Plumbline's home.
    out : Path
        Created when it is not there; files of the same name are replaced.
    filters : Filters | None
        As in the address of the app; None is the whole fleet.

    Raises
    ------
    DashboardError
        If there is nothing to report yet, a filter names what the data do not have, or `out` can't be written.
    """
    from dashboards.app import content_of

    reader, chosen = Reader(home), filters or Filters()
    try:
        state = reader.state()
        if state is DataState.READY and (extent := reader.extent()) is not None:
            _require_known(extent, chosen)
        view = reader.view(chosen) if state is DataState.READY else None
        if view is None:
            todo = (
                "run `plumbline stream`, then `plumbline refresh`"
                if state is DataState.EMPTY
                else "run `plumbline refresh`"
            )
            raise DashboardError(f"there is nothing to report: {state.value}", str(home), todo)
        pages = {
            path: document(
                path,
                timed(shell.heading(path, view, _said(chosen))),
                timed(content_of(reader, path, view, is_report=True)),
            )
            for path in FILES
        }
    finally:
        reader.close()
    try:
        out.mkdir(parents=True, exist_ok=True)
        for path, page in pages.items():
            (out / FILES[path]).write_text(page, encoding="utf-8")
    except OSError as error:
        raise DashboardError("the reports can't be written", str(out), str(error)) from error
    return [out / name for name in FILES.values()]


def _require_known(extent: Extent, chosen: Filters) -> None:
    """Refuse a filter that nothing meets: a report of nothing would look like a quiet week."""
    known = {name: getattr(extent, f"{name}s") for name in _FILTERS} | {"period": tuple(PERIODS)}
    for name, values in known.items():
        value = getattr(chosen, name)
        if value is not None and value not in values:
            near = difflib.get_close_matches(value, values, n=6, cutoff=0.4) or values[:6]
            todo = f"use one of {', '.join(text.plain(each, 60) for each in near)}" if near else "leave it out"
            raise DashboardError(f"there is no {name} {text.plain(value, 80)!r}", f"filter {name}", todo)


def _said(chosen: Filters) -> str:
    """What a report is narrowed to; a file has no controls that show it."""
    told = [f"{name} {text.plain(value, 60)}" for name in _FILTERS if (value := getattr(chosen, name))]
    return f"Only {', '.join(told)}." if told else ""


def document(path: str, heading: Component, content: Component) -> str:
    """One page as a whole HTML document."""
    writer = Writer()
    body = (
        f'<div class="page"><div class="bar-ground">{writer.html(shell.bar(FILES, path))}</div>'
        f'<main><div class="top">{writer.html(heading)}</div><div id="content">{writer.html(content)}</div></main>'
        f"{writer.html(shell.footer(_FOOT, FILES[FIGURES]))}</div>"
    )
    styles = "\n".join(file.read_text(encoding="utf-8") for file in sorted(ASSETS.glob("*.css")))
    carried = [(ASSETS / name).read_text(encoding="utf-8") for name in _CARRIED]
    scripts = [get_plotlyjs(), _DRAW] if writer.figures else []
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in [*carried, *scripts])
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    # Inside a script element only `</script` and `<!--` end or bend the text; every < is written as an escape.
    figures = "[" + ",".join(writer.figures) + "]"
    figures = figures.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escaping.escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>Plumbline: {escaping.escape(BY_PATH[path].title)}</title>\n"
        f"<style>\n{styles}\n</style>\n" + "".join(f"<script>{script}</script>\n" for script in carried) + "</head>\n"
        f'<body>\n{body}\n<script type="application/json" id="figures">{figures}</script>\n'
        + "".join(f"<script>{script}</script>\n" for script in scripts)
        + "</body>\n</html>\n"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode()


class Writer:
    """Turns the components that pages are made of into HTML; graphs are collected, in order.

    Attributes
    ----------
    figures : list of str
        JSON of each graph: data, layout, config.
    """

    def __init__(self) -> None:
        self.figures: list[str] = []

    def html(self, part: Any) -> str:
        """HTML of a component, a text, a list of them, or nothing."""
        if part is None or isinstance(part, bool):
            return ""
        if isinstance(part, (list, tuple)):
            return "".join(self.html(child) for child in part)
        if not isinstance(part, Component):
            return escaping.escape(str(part))
        kind, props = type(part).__name__, properties(part)
        if kind == "Graph":
            return self._graph(props)
        if kind == "Link":
            return self._link(props)
        tag = kind.lower()
        attributes = self._attributes(props)
        return (
            f"<{tag}{attributes}>" if tag in _VOID else f"<{tag}{attributes}>{self.html(props.get('children'))}</{tag}>"
        )

    def _graph(self, props: dict[str, Any]) -> str:
        figure = props["figure"]
        self.figures.append(encoded({**figure, "config": props.get("config") or {}}).decode())
        return f'<div id="figure-{len(self.figures) - 1}"{self._style(props)}></div>'

    def _link(self, props: dict[str, Any]) -> str:
        # A report has one view of each page: links among reports stay, links to another filter become text.
        kind = f' class="{escaping.escape(props["className"])}"' if props.get("className") else ""
        current = ' aria-current="page"' if "current" in str(props.get("className", "")).split() else ""
        said = self.html(props.get("children"))
        page, mark, place = (props.get("href") or "").partition("#")
        file = FILES.get(page, page if page in FILES.values() else None)
        return (
            f'<a{kind}{current} href="{escaping.escape(file + mark + place)}">{said}</a>'
            if file
            else f"<span{kind}>{said}</span>"
        )

    def _attributes(self, props: dict[str, Any]) -> str:
        written = []
        for name, value in props.items():
            if name in {"children", "style", "n_clicks"} or value is None:
                continue
            if value is True:
                written.append(f" {name}")
            elif value is not False:
                written.append(f' {_ATTRIBUTES.get(name, name)}="{escaping.escape(str(value))}"')
        return "".join(written) + self._style(props)

    def _style(self, props: dict[str, Any]) -> str:
        style = "; ".join(f"{name}: {value}" for name, value in (props.get("style") or {}).items())
        return f' style="{escaping.escape(style)}"' if style else ""

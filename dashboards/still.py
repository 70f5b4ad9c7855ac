"""Parts of a page that nothing happens to, written as HTML here: a browser shows them at once.

Dash keeps a record of every component, and a browser takes about 2 ms for each: five seconds for a page of 2,200. Most are cells
of tables and words, which never change while the page is open. Such an element gets its children as text in ``data-still``, and
assets/still.js puts them into it. What is written is escaped as in the static export; what takes part in a callback, a graph or
a control, stays a component, and so do all the elements around it.
"""

from __future__ import annotations

from typing import Any

from dash import dcc, html
from dash.development.base_component import Component

from dashboards.export import Writer

# Smaller parts are not worth it.
_FEWEST = 4

_ACTIVE = (html.Button, html.Form, html.Textarea, html.Iframe, html.ObjectEl)


class _Live(Writer):
    """Writes links as the app has them."""

    def _link(self, props: dict[str, Any]) -> str:
        kept = {name: props.get(name) for name in ("className", "title", "href", "children")}
        return f"<a data-link{self._attributes(kept)}>{self.html(kept['children'])}</a>"


def stilled(part: Any) -> Any:
    """`part` with what is still in it written as HTML; components are changed in place."""
    if isinstance(part, (list, tuple)):
        return [stilled(child) for child in part]
    if not isinstance(part, Component):
        return part
    children = getattr(part, "children", None)
    if children is None or isinstance(children, str):
        return part
    size = _size(children)
    if size is None or not _is_html(part):
        part.children = stilled(children)  # pyright: ignore[reportAttributeAccessIssue]
    elif size >= _FEWEST:
        part.children = None  # pyright: ignore[reportAttributeAccessIssue]
        setattr(part, "data-still", _Live().html(children))
    return part


def _is_html(part: Component) -> bool:
    return type(part).__module__.startswith("dash.html") and not isinstance(part, _ACTIVE)


def _size(part: Any) -> int | None:
    """Components in `part`; None where one of them is not still."""
    if isinstance(part, (list, tuple)):
        total = 0
        for child in part:
            size = _size(child)
            if size is None:
                return None
            total += size
        return total
    if not isinstance(part, Component):
        return 0
    if not (_is_html(part) or isinstance(part, dcc.Link)) or isinstance(getattr(part, "id", None), dict):
        return None
    size = _size(getattr(part, "children", None))
    return None if size is None else size + 1

"""Dash's elements, made a tenth as slowly: ``from dashboards.elements import dcc, html`` where pages are built.

A page has some two thousand of them, and Dash's own take 12 µs each, most of it to make the words of errors that nobody gets.
These are the same classes with the same properties; a property that Dash does not know is an error here too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dash

#: What a component keeps about itself, not of what it was given: how the names begin.
OWN = ("_", "available_")


class _Html:
    """Dash's elements of HTML, by name."""

    def __getattr__(self, name: str) -> type:
        made = _lighter(getattr(dash.html, name))
        setattr(self, name, made)
        return made


class _Dcc:
    """Dash's own components, by name; of these a page has many links alone."""

    def __init__(self) -> None:
        self.Link = _lighter(dash.dcc.Link, href="")

    def __getattr__(self, name: str) -> type:
        return getattr(dash.dcc, name)


def _lighter(kind: type, **required: Any) -> type:
    own = {name: value for name, value in vars(kind(**required)).items() if name.startswith(OWN)}
    known, wild = frozenset(own["_prop_names"]), tuple(own["_valid_wildcard_attributes"])

    def make(self: Any, children: Any = None, **given: Any) -> None:
        if not given.keys() <= known:
            unknown = [name for name in given if name not in known and not name.startswith(wild)]
            if unknown:
                raise TypeError(f"{kind.__name__} has no property {', '.join(unknown)}")
        self.__dict__.update(given, children=children)

    return type(kind)(kind.__name__, (kind,), {**own, "__init__": make, "__module__": kind.__module__})


if TYPE_CHECKING:
    from dash import dcc as dcc
    from dash import html as html
else:
    html, dcc = _Html(), _Dcc()

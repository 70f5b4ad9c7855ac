"""Times in sentences become elements that say their moment, so that the page can show them in the reader's zone.

Pages write UTC (`dashboards.text.when`), in one form; this finds that form wherever it stands, so that no page needs to know. The
page's script (assets/zone.js) does the rest; without it the text stays, in UTC.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import dash
from dash.development.base_component import Component

from dashboards.elements import html

_WHEN = re.compile(r"\b\d{1,2} [A-Z][a-z]{2} \d{4}, \d\d:\d\d(?::\d\d)? UTC\b")

# What is quoted stays as it is.
_LEFT_ALONE = (dash.html.Code, dash.html.Pre, dash.html.Time)


def timed(part: Any) -> Any:
    """`part` with each time in its texts as an element; components are changed in place."""
    if isinstance(part, str):
        found = _parts(part)
        return found[0] if len(found) == 1 else found
    if isinstance(part, (list, tuple)):
        return [piece for child in part for piece in (_parts(child) if isinstance(child, str) else [timed(child)])]
    if isinstance(part, Component) and not isinstance(part, _LEFT_ALONE):
        children = getattr(part, "children", None)
        if children is not None:
            part.children = timed(children)  # pyright: ignore[reportAttributeAccessIssue]
    return part


def _parts(line: str) -> list[Any]:
    """`line` cut at its times.

    Examples
    --------
    >>> [type(part).__name__ for part in _parts("since 8 Mar 2026, 09:05 UTC, 3 runs")]
    ['str', 'Time', 'str']
    """
    if " UTC" not in line:
        return [line]
    parts: list[Any] = []
    end = 0
    for match in _WHEN.finditer(line):
        moment = _moment(match.group())
        if moment is None:
            continue
        parts += [line[end : match.start()], html.Time(match.group(), dateTime=f"{moment.isoformat()}Z")]
        end = match.end()
    parts.append(line[end:])
    return [part for part in parts if part != ""] or [line]


def _moment(said: str) -> datetime | None:
    seconds = ":%S" if said.count(":") == 2 else ""
    try:
        return datetime.strptime(said, f"%d %b %Y, %H:%M{seconds} UTC")  # noqa: DTZ007 - UTC, as everywhere
    except ValueError:
        return None

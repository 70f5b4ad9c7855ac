"""Parts of pages as JSON, written once: what a browser is sent, what a static report carries.

orjson writes numbers, texts and times itself, at some thirty times the speed of Plotly's own encoder, which turns every time into
text in Python; and a part that is JSON already (`orjson.Fragment`) goes into an answer as it is.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
from dash.development.base_component import Component

from dashboards.elements import OWN


def encoded(part: Any) -> bytes:
    """JSON of components, figures, and lists of them, in UTF-8; what is no number (NaN) is null.

    Raises
    ------
    TypeError
        If there is anything else in it.
    """
    return orjson.dumps(part, default=_plain, option=orjson.OPT_SERIALIZE_NUMPY)


def properties(part: Component) -> dict[str, Any]:
    """What a component was given.

    What its ``to_plotly_json`` finds too, which asks of every name that there is whether it was given.
    """
    return {name: value for name, value in vars(part).items() if not name.startswith(OWN)}


def _plain(part: Any) -> Any:
    if isinstance(part, Component):
        # As the browser's part of Dash takes them.
        return {"props": properties(part), "type": part._type, "namespace": part._namespace}  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(part, Decimal):
        return float(part)
    raise TypeError(f"{type(part).__name__} is no part of a page")

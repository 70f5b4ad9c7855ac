"""Elements that are made faster: Dash's own in every respect."""

from __future__ import annotations

import copy
import json
from typing import Any

import dash
import pytest
from plotly.io.json import to_json_plotly

from dashboards.elements import dcc, html
from dashboards.encoded import properties
from dashboards.pages.parts import attributes


def _sent(element: Any) -> str:
    return str(to_json_plotly(element, engine="json"))


def pairs() -> list[tuple[Any, Any]]:
    given: dict[str, Any] = {"className": "c", "title": None, **attributes(data_label="x", aria_label="y")}
    return [
        (html.Div(["a", html.Span("b")], **given), dash.html.Div(["a", dash.html.Span("b")], **given)),
        (html.Td(), dash.html.Td()),
        (html.Button("x", id={"act": "close"}, n_clicks=0), dash.html.Button("x", id={"act": "close"}, n_clicks=0)),
        (dcc.Link("a", href="/cost", title="t"), dash.dcc.Link("a", href="/cost", title="t")),
    ]


@pytest.mark.parametrize(("ours", "dashs"), pairs())
def test_an_element_is_dashs_own(ours: Any, dashs: Any) -> None:
    assert isinstance(ours, type(dashs))
    wanted = _sent(dashs)
    assert json.loads(_sent(ours)) == json.loads(wanted)
    assert json.loads(_sent(copy.deepcopy(ours))) == json.loads(wanted)
    assert {name: str(value) for name, value in properties(ours).items()} == {
        name: str(value) for name, value in dashs.to_plotly_json()["props"].items()
    }


def test_what_dash_does_not_know_is_an_error() -> None:
    for make in (html.Div, dash.html.Div):
        with pytest.raises(TypeError, match="colour"):
            make("a", colour="red")  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match="data-x"):
        dcc.Link("a", href="/", **attributes(data_x="y"))


def test_other_components_are_dashs_own() -> None:
    assert dcc.Graph is dash.dcc.Graph

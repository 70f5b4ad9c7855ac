"""Still parts: the browser is told the same page, in fewer components, and nothing of a trace becomes markup."""

from __future__ import annotations

import copy
import html as escaping
import re
from typing import Any

import pytest
from dash import dcc, html
from dash.development.base_component import Component

from dashboards.app import Pages, render
from dashboards.data import Reader
from dashboards.export import Writer
from dashboards.filters import Filters
from dashboards.pages.registry import PAGES
from dashboards.still import stilled


def count(part: Any) -> int:
    if isinstance(part, (list, tuple)):
        return sum(map(count, part))
    return 1 + count(getattr(part, "children", None)) if isinstance(part, Component) else 0


def expanded(page: str) -> str:
    """HTML with each ``data-still`` where assets/still.js puts it."""
    return re.sub(r' data-still="([^"]*)"([^>]*)>', lambda found: f"{found[2]}>{escaping.unescape(found[1])}", page)


@pytest.mark.parametrize("path", [page.path for page in PAGES])
@pytest.mark.parametrize("filters", [Filters(), Filters(incident="inc-0001")], ids=["plain", "incident"])
def test_a_page_is_the_same_in_fewer_components(reader: Reader, path: str, filters: Filters) -> None:
    content = render(Pages(reader), path, filters)[2]
    still = stilled(copy.deepcopy(content))
    as_app = Writer().html(content)
    # The static export leaves links between filters out; the app has them.
    without_links = [re.sub(r"</?(a|span)\b[^>]*>", "", page) for page in (as_app, expanded(Writer().html(still)))]
    assert without_links[0] == without_links[1]
    assert count(still) < 0.6 * count(content)
    assert not re.search(r"data-still=\"[^\"]*data-still", Writer().html(still)), "one is not within another"


def test_what_takes_part_in_something_stays_a_component() -> None:
    cell = [html.Td(html.Span("a")), html.Td(html.Strong("b")), html.Td("c")]
    acts = html.Div([html.Table(html.Tr(cell)), html.Button("Close", id={"act": "close"})])
    plot = html.Section([html.Table(html.Tr(copy.deepcopy(cell))), dcc.Graph(figure={})])
    field = html.Div([html.Ul([html.Li("a"), html.Li("b"), html.Li("c"), html.Li("d")]), dcc.Input(id="search-q")])
    page = stilled(html.Div([acts, plot, field]))
    kinds = [type(each) for each in page._traverse()]
    assert {html.Button, dcc.Graph, dcc.Input, html.Table, html.Ul} <= set(kinds) and html.Tr not in kinds
    told = [getattr(each, "data-still", None) for each in page._traverse()]
    assert [text for text in told if text] == [
        "<tr><td><span>a</span></td><td><strong>b</strong></td><td>c</td></tr>",
        "<tr><td><span>a</span></td><td><strong>b</strong></td><td>c</td></tr>",
        "<li>a</li><li>b</li><li>c</li><li>d</li>",
    ]


def test_hostile_text_stays_text() -> None:
    hostile = "<img src=x onerror=alert(1)>\"'&</td><script>alert(2)</script>"
    link = dcc.Link(hostile, href=f"/?workflow={hostile}", title=hostile)
    cells = [html.Td(hostile), html.Td(html.Span(hostile, title=hostile)), html.Td(link), html.Td("x")]
    written = getattr(stilled(html.Tr(cells)), "data-still")
    assert re.findall(r"<(/?\w+)", written).count("img") == 0 and "<script" not in written
    assert written.count("<td>") == 4
    assert set(re.findall(r"<(\w+)", written)) == {"td", "span", "a"}
    for value in re.findall(r'(?:title|href)="([^"]*)"', written):
        assert escaping.unescape(value).endswith(hostile)

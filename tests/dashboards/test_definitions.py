"""The page of figures: every figure with its SQL, and every question mark leads there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dashboards.app import Pages, render
from dashboards.data import QUERIES, Reader
from dashboards.definitions import DEFINITIONS
from dashboards.definitions.statements import READ_BY, behind
from dashboards.export import FILES, Writer, export
from dashboards.filters import Filters
from dashboards.pages.registry import PAGES
from warehouse.describing import find


@pytest.mark.parametrize("key", DEFINITIONS)
def test_a_figure_names_tables_that_exist_and_a_query(key: str) -> None:
    for name in DEFINITIONS[key].tables:
        assert find(name).name == name
    statements = behind(key)
    assert any(each.kind == "query" for each in statements)
    assert all(each.sql for each in statements if each.kind != "table")


def test_what_is_said_to_read_a_figure_is_a_query() -> None:
    assert READ_BY.keys() <= DEFINITIONS.keys()
    assert {name for names in READ_BY.values() for name in names} <= {file.stem for file in QUERIES.glob("*.sql")}


def test_the_page_holds_every_figure_and_each_statement_once_and_no_link_leads_nowhere(reader: Reader) -> None:
    page = Writer().html(render(Pages(reader), "/figures", Filters()))
    anchors = re.findall(r' id="([^"]+)"', page)
    assert len(anchors) == len(set(anchors)) and set(DEFINITIONS) <= set(anchors)
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= set(anchors) and {anchor for anchor in anchors if anchor.startswith(("query-", "table-"))} <= links
    assert "SELECT" in page and "FROM rollback_readiness" in page


def test_every_question_mark_of_a_report_leads_to_its_figure(streamed_home: Path, tmp_path: Path) -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in export(streamed_home, tmp_path)}
    assert set(written) == {page.file for page in PAGES}
    anchors = set(re.findall(r' id="([^"]+)"', written["figures.html"]))
    for name, content in written.items():
        places = re.findall(r'href="figures\.html#([^"]+)"', content)
        assert set(places) <= anchors
        assert bool(places) == ('class="how"' in content), name
        assert f'href="{FILES["/figures"]}"' in content

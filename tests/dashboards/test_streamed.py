"""Every page over what the product itself makes of a small simulated fleet."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.app import Pages, render
from dashboards.data import Reader
from dashboards.export import Writer
from dashboards.filters import Filters
from dashboards.pages.registry import PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_page_of_a_streamed_home_is_made(streamed_home: Path, page) -> None:
    reader = Reader(streamed_home)
    try:
        written = Writer().html(render(Pages(reader), page.path, Filters()))
    finally:
        reader.close()
    assert "can&#x27;t be made" not in written and "No traces yet" not in written
    assert "<h2" in written

"""axe-core over every page, light and dark, wide and on a phone: nothing that it calls serious or critical (WCAG 2.2 AA)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from dashboards import export
from dashboards.pages.registry import PAGES
from tests.browser.conftest import Watched

pytestmark = pytest.mark.browser

Watch = Callable[..., Watched]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OPENED = ("drift?incident=inc-0001", "releases?workflow=invoice-matching", "cost?workflow=nobody")


def violations(page) -> list[str]:
    """What is serious or critical: rule, elements and why."""
    found = Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]}).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['html'][:160]} {node.get('failureSummary', '')[:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"][:3]
    ]


def assert_accessible(page) -> None:
    wrong = {}
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.wait_for_timeout(150)  # colours are there, figures are redrawn
            wrong |= {f"{width} {scheme}": found} if (found := violations(page)) else {}
    assert not wrong


@pytest.mark.parametrize("path", [page.path.lstrip("/") for page in PAGES] + list(OPENED))
def test_a_page_of_a_small_fleet(watch: Watch, site: str, path: str) -> None:
    assert_accessible(watch().goto(site + path))


@pytest.mark.parametrize("path", ["reuse", "rollback", "runs", "runs?q=outcome:success+nonsense:x"])
def test_a_page_over_streamed_runs(watch: Watch, streamed_site: str, path: str) -> None:
    assert_accessible(watch().goto(streamed_site + path))


def test_an_opened_run(watch: Watch, streamed_site: str) -> None:
    page = watch().goto(streamed_site + "runs?period=all")
    page.locator("td, th").get_by_role("link").first.click()
    page.wait_for_selector("#run")
    page.locator("details.more summary").first.click()
    assert_accessible(page)


def test_an_open_menu_and_an_open_explanation(watch: Watch, site: str) -> None:
    page = watch(390).goto(site)
    page.click("details.pages summary")
    assert not violations(page)
    page.keyboard.press("Escape")
    page.locator(".how summary").first.click()
    assert not violations(page)


def test_a_report(watch: Watch, streamed_site: str, streamed_home: Path, tmp_path: Path) -> None:
    for file in export(streamed_home, tmp_path):
        assert_accessible(watch(is_alone=True).goto(file.as_uri()))

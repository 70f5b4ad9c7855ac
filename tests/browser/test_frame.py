"""The frame around the pages: tabs and menu, titles, focus, the reader's zone, the place that a link names, the search."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dashboards import export
from dashboards.pages.registry import PAGES
from tests.browser.conftest import Watched

pytestmark = pytest.mark.browser

Watch = Callable[..., Watched]
TABS = [page for page in PAGES if page.is_tab]


def settled(page: Page, address: str) -> Page:
    page.goto(address)
    page.wait_for_selector("#content > :not(.waiting)")
    return page


@pytest.fixture
def berlin(chrome: Browser) -> Iterator[Page]:
    """A page of a reader in Berlin."""
    context = chrome.new_context(timezone_id="Europe/Berlin", viewport={"width": 1440, "height": 900})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("width", [1440, 390])
def test_every_page_is_reached_by_name_has_its_title_and_says_which_it_is(watch: Watch, site: str, width: int) -> None:
    watched = watch(width)
    page = watched.goto(site)
    for target in TABS:
        if width == 390:
            page.locator("details.pages summary").focus()
            page.keyboard.press("Enter")
        link = page.get_by_role("link", name=target.tab, exact=True)
        link.focus()
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text(target.title)
        expect(page).to_have_title(f"{target.title} · Plumbline")
        visible = page.locator(".page-tab[aria-current='page']" + (" >> visible=true" if width == 1440 else ""))
        expect(visible.first).to_have_text(target.tab)
        if width == 390:
            expect(page.locator("details.pages[open]")).to_have_count(0)
            expect(page.locator("details.pages summary")).to_be_focused()
        else:
            expect(link).to_be_focused()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert watched.is_clean(site), (watched.errors, watched.requests)


def test_the_bar_holds_its_tabs_in_one_line(watch: Watch, site: str) -> None:
    page = watch(1440).goto(site)
    assert page.locator(".pages-row").evaluate("nav => nav.scrollWidth <= nav.clientWidth")


def test_reading_goes_on_at_the_new_page_when_the_link_is_gone_and_skip_leads_to_the_content(
    watch: Watch, site: str
) -> None:
    page = watch().goto(site)
    page.get_by_role("link", name="Error rate of ledger.lookup").click()
    expect(page.locator("#incident")).to_be_visible()
    expect(page.locator("#content")).to_be_focused()
    page = watch().goto(site)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content"


def test_times_are_the_readers_with_utc_at_hand_and_the_choice_is_remembered(berlin: Page, site: str) -> None:
    page = settled(berlin, site)
    first = page.locator("time").first
    expect(first).to_have_text(re.compile(r"^\d{1,2} \w{3} 2026, 01:00 (CET|GMT\+1)$"))
    expect(first).to_have_attribute("title", re.compile(r"^\d{1,2} Mar 2026, 00:00 UTC$"))
    button = page.locator("button.zone")
    expect(button).to_have_text("Local")
    button.click()
    expect(button).to_have_text("UTC")
    expect(first).to_have_text(re.compile(r" UTC$"))
    expect(first).to_have_attribute("title", re.compile("CET|GMT"))
    page.get_by_role("link", name="Drift", exact=True).click()
    expect(page.locator("h1")).to_have_text("Drift and incidents")
    page.wait_for_function("[...document.querySelectorAll('time')].every(time => time.textContent.endsWith('UTC'))")
    page.reload()
    expect(page.locator("button.zone")).to_have_text("UTC")


def test_a_report_shows_the_readers_times_too(berlin: Page, streamed_home: Path, tmp_path: Path) -> None:
    files = {file.name: file for file in export(streamed_home, tmp_path)}
    page = settled(berlin, files["runs.html"].as_uri())
    page.wait_for_function("[...document.querySelectorAll('time')].every(time => /CES?T|GMT/.test(time.textContent))")
    assert page.locator("time").count() > 10


def test_a_question_mark_leads_to_the_formula_and_its_sql(watch: Watch, site: str) -> None:
    watched = watch()
    page = watched.goto(site)
    page.locator(".how summary").first.click()
    page.get_by_role("link", name="What makes cost per successful outcome").click()
    expect(page).to_have_url(site + "figures#cost_per_success")
    section = page.locator("#cost_per_success")
    expect(section).to_be_in_viewport()
    section.get_by_role("link", name="cohorts").click()
    expect(page.locator("#query-cohorts pre")).to_contain_text("SELECT")
    expect(page.locator("#query-cohorts pre")).to_be_in_viewport()
    page.go_back()
    page.go_back()
    expect(page.locator("h1")).to_have_text("Executive scorecard")
    assert watched.is_clean(site), (watched.errors, watched.requests)


def test_runs_are_searched_opened_and_paged_by_the_address(watch: Watch, streamed_site: str) -> None:
    watched = watch()
    page = watched.goto(streamed_site + "runs?period=all")
    page.get_by_role("link", name="Older runs").click()
    expect(page).to_have_url(re.compile(r"\?period=all&before="))
    page.get_by_role("link", name="failure", exact=True).click()
    expect(page).to_have_url(re.compile(r"period=all&q=outcome%3Afailure$"))
    expect(page.locator("#search-q")).to_have_value("outcome:failure")
    page.fill("#search-q", "outcome:success has:denied")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"q=outcome%3Asuccess\+has%3Adenied$"))
    page.go_back()
    expect(page.locator("#search-q")).to_have_value("outcome:failure")
    page.locator("tbody").get_by_role("link").first.click()
    expect(page.locator("#run")).to_contain_text("Span tree")
    expect(page.locator("#run .lane").first).to_be_visible()
    page.locator("details.more summary").first.click()
    expect(page.locator("details.more[open] dl").first).to_be_visible()
    page.get_by_role("link", name="All runs").click()
    expect(page.locator("#search-q")).to_have_value("outcome:failure")
    page.set_viewport_size({"width": 390, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert watched.is_clean(streamed_site), (watched.errors, watched.requests)

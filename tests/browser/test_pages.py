"""Each page in a real Chromium: it draws its figures, says no error, asks nobody else, and fits a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from dashboards import export
from dashboards.server import served
from tests.browser.conftest import HOSTILE, Watched
from tests.dashboards.fleet import write_home

pytestmark = pytest.mark.browser

Watch = Callable[..., Watched]
GROUND = "getComputedStyle(document.body).backgroundColor"
PAGES = {
    "": 3,
    "cost": 8,
    "drift?incident=inc-0001": 2,
    "releases": 2,
    "releases?workflow=invoice-matching": 5,
    "tools?tool=ledger.lookup": 3,
    "policy": 2,
}


@pytest.mark.parametrize("path", PAGES)
def test_a_page_draws_its_figures_without_an_error_and_fits_a_phone(watch: Watch, site: str, path: str) -> None:
    watched = watch()
    page = watched.goto(site + path)
    assert page.locator(".js-plotly-plot .cartesianlayer").count() >= PAGES[path]
    assert page.evaluate(GROUND) == "rgb(246, 247, 249)"
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(GROUND) == "rgb(13, 18, 23)"
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_function(
        "() => [...document.querySelectorAll('.js-plotly-plot')].every(plot => plot.clientWidth <= 358)"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert watched.is_clean(site), (watched.errors, watched.requests)


def test_filters_live_in_the_address_and_back_undoes_them(watch: Watch, site: str) -> None:
    watched = watch()
    page = watched.goto(site)
    page.click("#filter-workflow")
    page.locator(".dash-dropdown-option", has_text="it-helpdesk").click()
    expect(page).to_have_url(re.compile(r"/\?workflow=it-helpdesk$"))
    expect(page.locator(".summary")).to_contain_text("it-helpdesk")
    page.click("#filter-period")
    page.locator(".dash-dropdown-option", has_text="Last 7 days").click()
    expect(page).to_have_url(re.compile(r"\?workflow=it-helpdesk&period=7d$"))
    cost_tab = page.get_by_role("link", name="Cost", exact=True)
    expect(cost_tab).to_have_attribute("href", "/cost?workflow=it-helpdesk&period=7d")
    cost_tab.click()
    expect(page).to_have_url(re.compile(r"/cost\?workflow=it-helpdesk&period=7d$"))
    expect(page.locator("h1")).to_have_text("Cost per outcome")
    page.go_back()
    page.go_back()
    expect(page).to_have_url(re.compile(r"/\?workflow=it-helpdesk$"))
    expect(page.locator("#filter-period")).to_contain_text("Automatic")
    assert watched.is_clean(site), (watched.errors, watched.requests)


def test_a_link_shows_the_same_page(watch: Watch, site: str) -> None:
    page = watch().goto(site + "cost?workflow=claims-triage&environment=staging&period=7d")
    expect(page.locator("#filter-workflow")).to_contain_text("claims-triage")
    expect(page.locator("#filter-environment")).to_contain_text("staging")
    expect(page.locator("#filter-period")).to_contain_text("Last 7 days")
    assert "it-helpdesk" not in page.inner_text("#content")


def test_a_question_mark_explains_by_keyboard_and_an_incident_opens_and_closes(watch: Watch, site: str) -> None:
    watched = watch()
    page = watched.goto(site)
    page.locator(".tile .how summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".how[open] .how-box")).to_contain_text("Formula")
    page.keyboard.press("Escape")
    expect(page.locator(".how[open]")).to_have_count(0)
    page.get_by_role("link", name="Error rate of ledger.lookup").click()
    expect(page.locator("#incident")).to_contain_text("release 2.4.1 began 11 min before the onset")
    expect(page.locator("#incident")).to_contain_text("Fisher: risk difference 0.17")
    expect(page.locator("#incident .table")).to_contain_text("2.4.0 → 2.4.1")
    page.locator("#incident .table .how summary").click()
    expect(page.locator("#incident .how[open] .how-box")).to_contain_text("closeness")
    page.keyboard.press("Escape")
    expect(page.locator("#incident .js-plotly-plot .main-svg").first).to_be_visible()
    page.get_by_role("link", name="Close").click()
    expect(page.locator("#incident")).to_have_count(0)
    assert watched.is_clean(site), (watched.errors, watched.requests)


def test_releases_open_from_the_overview_and_from_an_incident_and_go_with_their_workflow(
    watch: Watch, site: str
) -> None:
    watched = watch()
    page = watched.goto(site + "releases")
    expect(page.locator(".summary")).to_contain_text("of 5 workflows the newest release is worse")
    page.get_by_role("link", name="contract-review").click()
    expect(page).to_have_url(re.compile(r"/releases\?workflow=contract-review&before=2\.4\.0&after=2\.4\.1$"))
    expect(page.locator(".summary")).to_contain_text("release 2.4.1 against 2.4.0: worse in cost per run")
    cost_of_it = page.locator(".small", has_text="Cost per run")
    expect(cost_of_it.locator(".pill")).to_have_text("Worse")
    expect(cost_of_it.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    cost_of_it.locator(".how summary").click()
    expect(page.locator(".how[open] .how-box")).to_contain_text("priced runs before")
    page.keyboard.press("Escape")
    page.click("#filter-workflow")
    page.locator(".dash-dropdown-option", has_text="supplier-onboarding").click()
    expect(page).to_have_url(re.compile(r"/releases\?workflow=supplier-onboarding$"))
    expect(page.locator(".notice")).to_contain_text("all of them 2.4.0")
    watched.goto(site + "drift?incident=inc-0001")
    page.get_by_role("link", name="Compare them").click()
    expect(page).to_have_url(re.compile(r"/releases\?workflow=invoice-matching&before=2\.4\.0&after=2\.4\.1$"))
    assert watched.is_clean(site), (watched.errors, watched.requests)


def test_the_theme_button_overrules_the_system_and_is_remembered(watch: Watch, site: str) -> None:
    page = watch(is_alone=True).goto(site)
    button = page.locator("button.theme")
    button.click()
    button.click()
    expect(button).to_have_text("Dark")
    assert page.evaluate(GROUND) == "rgb(13, 18, 23)"
    page.reload()
    expect(page.locator("button.theme")).to_have_text("Dark")


def test_text_from_traces_stays_text(watch: Watch, hostile_home: Path) -> None:
    with served(hostile_home) as address:
        watched = watch()
        for path in ("", "cost", "drift?incident=inc-0001", "releases", f"releases?{urlencode({'workflow': HOSTILE})}"):
            page = watched.goto(address + path)
            assert HOSTILE in page.inner_text("#content")
            assert page.locator("#content img[src='x']").count() == 0
            assert HOSTILE[:20] in " ".join(page.locator(".js-plotly-plot text").all_text_contents()) or path != "cost"
        assert watched.is_clean(address), (watched.errors, watched.requests)


def test_an_empty_home_says_what_to_do_on_every_page(watch: Watch, tmp_path: Path) -> None:
    with served(tmp_path) as address:
        watched = watch()
        for path in ("", "cost", "drift", "releases", "tools", "policy"):
            page = watched.goto(address + path)
            expect(page.locator(".notice")).to_contain_text("plumbline stream")
        assert watched.is_clean(address), (watched.errors, watched.requests)


def test_the_export_opens_offline_from_the_disk(watch: Watch, hostile_home: Path, tmp_path: Path) -> None:
    for file in export(hostile_home, tmp_path):
        watched = watch(offline=True)
        page = watched.goto(file.as_uri())
        drawn = page.locator("[id^='figure-']").count()
        assert page.locator(".js-plotly-plot .main-svg").count() >= drawn
        with_figures = {"scorecard.html", "cost.html", "drift.html", "releases.html", "tools.html", "policy.html"}
        assert (drawn > 0) == (file.name in with_figures)
        # The others have no figures over this home: its tables are too few, or all is words.
        if drawn or file.name == "rollback.html":
            assert HOSTILE in page.inner_text("#content")
            page.locator(".how summary").first.click()
            expect(page.locator(".how[open] .how-box").first).to_be_visible()
            page.keyboard.press("Escape")
        assert watched.is_clean("file:"), (watched.errors, watched.requests)
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Cost", exact=True).click()
        expect(page).to_have_url((tmp_path / "cost.html").as_uri())


def test_an_open_page_follows_the_warehouse(watch: Watch, tmp_path: Path) -> None:
    with served(tmp_path) as address:
        page = watch().goto(address)
        expect(page.locator(".notice")).to_contain_text("No traces yet")
        write_home(tmp_path, scale=0.1)
        expect(page.locator(".summary")).to_contain_text("6 workflows", timeout=30_000)

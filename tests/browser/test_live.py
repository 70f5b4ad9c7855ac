"""An open page follows what other processes write, without a reload, and keeps what was typed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboards.server import served
from pipelines.commands.desk import OwnDesk
from tests.browser.conftest import HOSTILE, Watched
from tests.dashboards.fleet import write_home

pytestmark = pytest.mark.browser

Watch = Callable[..., Watched]
#: A page is made anew after each change, which takes seconds on a busy machine.
expect.set_options(timeout=60_000)
HEADLINE = "Error rate of registry.lookup rose from 2 % to 30 %"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return write_home(tmp_path / "live", scale=0.2)


def raise_incident(home: Path, headline: str = HEADLINE) -> None:
    """As a detecting worker does, in a process of its own."""
    command = [sys.executable, "-m", "tests.browser.raising", str(home / "warehouse"), headline]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])


def test_an_incident_appears_without_a_reload(watch: Watch, home: Path) -> None:
    with served(home) as address:
        watched = watch(is_alone=True)
        page = watched.goto(address + "drift?incident=inc-0001")
        expect(page.get_by_text("registry.lookup")).to_have_count(0)
        page.evaluate("window.marked = true")  # a reload would take it away
        raise_incident(home)
        expect(page.locator("table .name", has_text=HEADLINE)).to_be_visible()
        watched.settled()
        assert page.evaluate("window.marked") is True
        assert watched.is_clean(address), (watched.errors, watched.requests)


def test_what_is_typed_into_an_open_incident_outlives_a_change(watch: Watch, home: Path) -> None:
    with served(home, OwnDesk(home / "warehouse")) as address:
        watched = watch(is_alone=True)
        page = watched.goto(address + "drift?incident=inc-0001")
        why = page.get_by_label("Why", exact=True)
        why.fill("looking into it")
        raise_incident(home)
        expect(page.locator("table .name", has_text=HEADLINE)).to_be_visible()
        expect(why).to_have_value("looking into it")


def test_without_an_api_the_page_answers_incidents_itself(watch: Watch, home: Path) -> None:
    with served(home, OwnDesk(home / "warehouse")) as address:
        watched = watch(is_alone=True)
        page: Page = watched.goto(address + "drift?incident=inc-0001")
        card = page.locator("#incident")
        page.get_by_label("Your name").fill("ada")
        page.get_by_label("Why", exact=True).fill(HOSTILE)
        page.get_by_role("button", name="It is real").click()
        expect(page.locator("#told")).to_have_text("Acknowledged as real.")
        expect(card.locator(".pill", has_text="acknowledged")).to_be_visible()
        expect(card.locator(".facts")).to_contain_text("real by ada (through dashboard)")
        page.get_by_role("button", name="Resolve").click()
        expect(card.locator(".pill", has_text="resolved")).to_be_visible()
        assert watched.is_clean(address), (watched.errors, watched.requests)


def test_families_and_states_narrow_the_list_and_stand_in_the_address(watch: Watch, home: Path) -> None:
    with served(home) as address:
        watched = watch(is_alone=True)
        page = watched.goto(address + "drift")
        page.get_by_role("link", name="Cost", exact=True).last.click()
        expect(page).to_have_url(address + "drift?family=cost")
        expect(page.locator("table .name", has_text="Cost per run rose")).to_be_visible()
        expect(page.locator("table .name", has_text="Error rate of ledger.lookup")).to_have_count(0)
        page.get_by_role("link", name="All families").click()
        expect(page.locator("table .name", has_text="Error rate of ledger.lookup")).to_be_visible()

"""Incidents answered from the page, against the real API in a process of its own, in a real Chromium."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dashboards.desk import Desk
from dashboards.server import served
from tests.browser.conftest import HOSTILE, Watched
from tests.dashboards.fleet import write_home
from warehouse import run_select

pytestmark = pytest.mark.browser

Watch = Callable[..., Watched]
TOKEN = "0123456789abcdef" * 4
#: A page is made anew after each answer, which takes seconds on a busy machine.
expect.set_options(timeout=60_000)
HISTORY = "SELECT kind, said_by, why FROM incident_changes WHERE incident_id = 'inc-0001' ORDER BY noted_at"


@contextmanager
def api_of(home: Path) -> Iterator[Desk]:
    """The API as an operator starts it: two lakes in one process would not do."""
    command = [sys.executable, "-P", "-m", "pipelines", "--home", str(home), "api", "--port", "0"]
    environment = {"PATH": "/usr/bin", "PLUMBLINE_API_TOKENS": f"dashboard operate {TOKEN}"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("API at "), line + process.stderr.read()
        try:
            yield Desk(line.split()[2], TOKEN)
        finally:
            process.terminate()
            process.wait(timeout=60)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_home(tmp_path_factory.mktemp("answered"), scale=0.2)


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Path:
    subprocess.run(["cp", "-r", str(made), str(tmp_path / "home")], check=True)
    return tmp_path / "home"


def history(home: Path) -> list[tuple[str, str | None, str | None]]:
    command = [sys.executable, "-P", "-m", "pipelines", "--home", str(home), "sql", "--format", "json", HISTORY]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return [(row["kind"], row["said_by"], row["why"]) for row in json.loads(done.stdout)]


def opened(watched: Watched, address: str) -> Page:
    return watched.goto(address + "drift?incident=inc-0001")


def test_an_incident_is_silenced_and_acknowledged_from_its_page(watch: Watch, home: Path) -> None:
    with api_of(home) as desk, served(home, desk) as address:
        watched = watch(is_alone=True)
        page = opened(watched, address)
        card = page.locator("#incident")
        expect(card.locator(".pill", has_text="open")).to_be_visible()

        page.get_by_role("button", name="Silence", exact=True).click()
        expect(page.locator("#told")).to_contain_text("needs a reason")
        assert history(home) == [], "nothing was asked for"

        page.get_by_label("Your name").fill("ada")
        page.get_by_label("Why", exact=True).fill(HOSTILE)
        page.get_by_role("button", name="Silence", exact=True).click()
        expect(card.locator(".pill", has_text="silenced")).to_be_visible()
        expect(page.locator("#told")).to_have_text("Silenced.")
        expect(card.locator(".facts")).to_contain_text("until ")
        expect(card).to_contain_text("ada (through dashboard)")
        expect(card).to_contain_text(HOSTILE)

        expect(page.get_by_label("Your name")).to_have_value("ada")
        page.get_by_role("button", name="It is real").click()
        expect(card.locator(".facts")).to_contain_text("real by ada (through dashboard)")
        expect(card.locator(".pill", has_text="silenced")).to_be_visible()
        page.get_by_role("button", name="End the silence").click()
        expect(card.locator(".pill", has_text="acknowledged")).to_be_visible()

        page.get_by_role("button", name="Resolve").click()
        expect(card.locator(".pill", has_text="resolved")).to_be_visible()
        page.get_by_role("button", name="Reopen").click()
        expect(card.locator(".pill", has_text="open")).to_be_visible()
        page.get_by_role("link", name="Close").click()
        expect(page.locator("#incident")).to_have_count(0)
        expect(page.locator("#told")).to_be_hidden()
        assert watched.is_clean(address), (watched.errors, watched.requests)
    said = history(home)
    assert [kind for kind, _, _ in said] == ["silenced", "acknowledged", "unsilenced", "resolved", "reopened"]
    assert said[0] == ("silenced", "ada (through dashboard)", HOSTILE)
    assert {by for _, by, _ in said} == {"ada (through dashboard)"}


def test_the_controls_fit_a_phone_and_are_as_large_as_a_finger(watch: Watch, home: Path) -> None:
    with served(home, Desk("http://127.0.0.1:9", TOKEN)) as address:
        watched = watch(390, is_alone=True)
        page = opened(watched, address)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for button in page.locator("button.do").all():
            box = button.bounding_box()
            assert box is not None and box["height"] >= 44 and box["x"] + box["width"] <= 390


def test_an_api_that_does_not_answer_is_said_clearly_and_what_was_typed_stays(watch: Watch, home: Path) -> None:
    with served(home, Desk("http://127.0.0.1:9", TOKEN)) as address:
        watched = watch(is_alone=True)
        page = opened(watched, address)
        page.get_by_label("Why", exact=True).fill("planned work")
        page.get_by_role("button", name="Resolve").click()
        expect(page.locator("#told")).to_contain_text("does not answer at http://127.0.0.1:9: nothing was changed")
        expect(page.get_by_label("Why", exact=True)).to_have_value("planned work")
        expect(page.locator("#incident .pill", has_text="open")).to_be_visible()
        assert watched.is_clean(address), (watched.errors, watched.requests)
    assert run_select(home / "warehouse", HISTORY).is_empty()


def test_without_an_api_the_page_shows_the_command(watch: Watch, home: Path) -> None:
    with served(home) as address:
        page = opened(watch(is_alone=True), address)
        expect(page.locator("#incident")).to_contain_text("plumbline alerts ack inc-0001 --as real|false")
        expect(page.locator("button.do")).to_have_count(0)

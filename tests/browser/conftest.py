"""The machine's Chromium, and a page that notes every error and every request that leaves the machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from dashboards.screenshot import browser as launched
from dashboards.screenshot import chromium
from dashboards.server import served
from tests.dashboards.fleet import write_home
from tests.dashboards.streamed import write_streamed

HOSTILE = "<img src=x onerror=pwned()>"
# On a machine that does other things at once an answer may take longer than Playwright's five seconds.
expect.set_options(timeout=30_000)
REQUIRED = os.environ.get("PLUMBLINE_REQUIRE_BROWSER", "") not in ("", "0")


@dataclass
class Watched:
    """A page, what its console said, and where its requests went."""

    page: Page
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def is_clean(self, *allowed: str) -> bool:
        """No error, and no request to anywhere but the allowed beginnings of addresses."""
        outside = [address for address in self.requests if not address.startswith((*allowed, "data:", "blob:"))]
        return not self.errors and not outside

    def goto(self, address: str) -> Page:
        """Open `address` and wait until its figures are drawn."""
        self.page.goto(address)
        return self.settled()

    def settled(self) -> Page:
        """Wait until the content is there and every graph has been drawn."""
        self.page.wait_for_selector("#content > :not(.waiting)")
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('.js-plotly-plot')].every(plot => plot.querySelector('.main-svg'))"
            " && document.querySelectorAll('.graph .dash-graph--pending').length === 0"
        )
        return self.page


@pytest.fixture(
    scope="module"
)  # not longer: while it lasts Playwright's event loop is this thread's, and others need theirs
def chrome() -> Iterator[Browser]:
    if chromium() is None:
        reason = "no Chromium on this machine: apt-get install chromium"
        if REQUIRED:
            pytest.fail(reason)
        pytest.skip(reason)
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a dashboard with a week of the small fleet."""
    with served(write_home(tmp_path_factory.mktemp("site"))) as address:
        yield address


@pytest.fixture(scope="session")
def streamed_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day and a half through the real stream."""
    return write_streamed(tmp_path_factory.mktemp("streamed"))


@pytest.fixture(scope="session")
def streamed_site(streamed_home: Path) -> Iterator[str]:
    """Address of a dashboard over it."""
    with served(streamed_home) as address:
        yield address


@pytest.fixture(scope="session")
def hostile_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which a workflow and an incident's headline carry markup."""
    home = tmp_path_factory.mktemp("hostile")
    return write_home(home, scale=0.2, rename={"invoice-matching": HOSTILE, "it-helpdesk": "=cmd()\u202e|' </script>"})


@pytest.fixture(scope="module")
def shared(chrome: Browser) -> Iterator[BrowserContext]:
    """One context for most pages: what the first one loads, the others have in their cache."""
    context = chrome.new_context()
    yield context
    context.close()


@pytest.fixture
def watch(chrome: Browser, shared: BrowserContext) -> Iterator[Callable[..., Watched]]:
    """Open a watched page; `is_alone` in a context of its own, with nothing stored and, if asked, no network."""
    pages: list[Page] = []
    contexts: list[BrowserContext] = []

    def open_page(width: int = 1440, *, is_alone: bool = False, offline: bool = False) -> Watched:
        if is_alone or offline:
            contexts.append(chrome.new_context(offline=offline))
        page = (contexts[-1] if is_alone or offline else shared).new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="light")
        watched = Watched(page)
        # Watched, not routed: routing would turn the browser's cache off. The policy of the page blocks; this tells.
        page.on("request", lambda request: watched.requests.append(request.url))
        page.on("console", lambda m: watched.errors.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: watched.errors.append(str(error)))
        return watched

    yield open_page
    for page in pages:
        page.close()
    for context in contexts:
        context.close()

"""Take the pictures in README and docs/ from a home: ``python -m dashboards.screenshot HOME OUT``.

Needs the development requirements (playwright) and a Chromium on the machine; it downloads nothing.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from dashboards.access.options import Access, Login
from dashboards.access.passwords import hashed
from dashboards.access.users import User
from dashboards.access.viewer import Role
from dashboards.errors import DashboardError
from dashboards.server import served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
)


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture.

    Parameters
    ----------
    name : str
        File name without its ending.
    path : str
        Page.
    width : int
        Pixels; 390 is a phone.
    scheme : str
        ``light`` or ``dark``.
    height : int | None
        Only the first so many pixels; None is the whole page.
    is_opened : bool
        With the first incident or run of the table opened, and only that.
    """

    name: str
    path: str
    width: int = 1440
    scheme: Literal["light", "dark"] = "light"
    height: int | None = None
    is_opened: bool = False


SHOTS = (
    Shot("overview", "", height=900),
    Shot("scorecard", ""),
    Shot("scorecard-dark", "", scheme="dark", height=1500),
    Shot("scorecard-phone", "", width=390, height=1500),
    Shot("cost", "cost"),
    Shot("cost-phone", "cost", width=390, scheme="dark", height=1500),
    Shot("releases", "releases"),
    Shot("releases-phone", "releases", width=390, scheme="dark", height=1500),
    Shot("drift", "drift"),
    Shot("incident", "drift", is_opened=True),
    Shot("drift-phone", "drift", width=390, height=1500),
    Shot("tools", "tools"),
    Shot("tools-phone", "tools", width=390, height=1500),
    Shot("policy", "policy"),
    Shot("policy-phone", "policy", width=390, scheme="dark", height=1500),
    Shot("reuse", "reuse"),
    Shot("reuse-phone", "reuse", width=390, scheme="dark", height=1500),
    Shot("rollback", "rollback"),
    Shot("rollback-phone", "rollback", width=390, height=1500),
    Shot("runs", "runs", height=1100),
    Shot("run", "runs", is_opened=True),
    Shot("runs-phone", "runs", width=390, scheme="dark", height=1500),
    Shot("figures", "figures", scheme="dark", height=1100),
)


_DRAWN = "() => [...document.querySelectorAll('.js-plotly-plot')].every(plot => plot.querySelector('.main-svg'))"

# What opens from a table, and the links there that open it: a table on the same page may lead elsewhere.
_OPENED = "#incident, #run"
_OPENS = ".table a.name[href*='incident='], .table a.name[href*='run=']"

# Plotly fits labels once more after it has drawn.
_SETTLE_MS = 500


def chromium() -> str | None:
    """Path of the machine's Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless browser.

    Raises
    ------
    DashboardError
        If there is no Chromium, or playwright is not installed.
    """
    path = chromium()
    if path is None:
        raise DashboardError("there is no Chromium", "PATH", "install it, on Debian with `apt-get install chromium`")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise DashboardError("playwright is not installed", "Python", "install requirements-dev.txt") from error
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS), headless=True)
        try:
            yield opened
        finally:
            opened.close()


def shoot(home: Path, out: Path, *, query: str = "") -> list[Path]:
    """The pictures of `SHOTS`, written into directory `out`.

    Parameters
    ----------
    home, out : Path
    query : str
        Filters, as in the address.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = []
    with served(home) as address, browser() as chrome:
        for shot in SHOTS:
            context = chrome.new_context(
                viewport={"width": shot.width, "height": 900}, color_scheme=shot.scheme, device_scale_factor=1.5
            )
            page = context.new_page()
            page.goto(f"{address}{shot.path}{query}")
            page.wait_for_selector("#content > :not(.waiting)")
            if shot.is_opened and page.locator(_OPENS).count():
                page.locator(_OPENS).first.click()
                page.wait_for_selector(_OPENED)
            page.wait_for_function(_DRAWN)
            page.wait_for_timeout(_SETTLE_MS)
            file = out / f"{shot.name}.png"
            if shot.is_opened and page.locator(_OPENED).count():
                page.locator(_OPENED).screenshot(path=str(file))
            elif shot.height is None:
                page.screenshot(path=str(file), full_page=True)
            else:
                whole = page.evaluate("document.documentElement.scrollHeight")
                clip = {"x": 0, "y": 0, "width": shot.width, "height": min(shot.height, whole)}
                page.screenshot(path=str(file), full_page=True, clip=clip)  # type: ignore[arg-type]
            written.append(file)
            context.close()
        written.append(_signing_in(chrome, out))
    return written


def _signing_in(chrome: Browser, out: Path) -> Path:
    """The sign-in page, in a home of its own with an account that nobody has the password of."""
    file = out / "sign-in.png"
    with tempfile.TemporaryDirectory() as home:
        access = Access(login=Login.USERS)
        nobody = User("nobody", hashed(secrets.token_urlsafe(32)), Role.VIEWER)
        access.users_of(Path(home)).change(lambda known: known.update(nobody=nobody))
        with served(Path(home), access=access) as address:
            page = chrome.new_page(viewport={"width": 1440, "height": 560}, device_scale_factor=1.5)
            page.goto(address)
            page.screenshot(path=str(file))
            page.close()
    return file


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.screenshot", description=__doc__)
    parser.add_argument("home", type=Path, help="Plumbline's home")
    parser.add_argument("out", type=Path, help="directory of the pictures")
    parser.add_argument("--query", default="", help="filters, as in the address: ?period=7d")
    given = parser.parse_args(arguments)
    try:
        for file in shoot(given.home, given.out, query=given.query):
            print(file)
    except DashboardError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

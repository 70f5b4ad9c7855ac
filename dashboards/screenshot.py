"""Take the pictures in README and docs/ from a home: ``python -m dashboards.screenshot HOME OUT``.

Needs the development requirements (playwright) and a Chromium on the machine; it downloads nothing.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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

PAGES = {"scorecard": "", "cost": "cost", "drift": "drift"}
WIDTHS = {"": 1440, "-phone": 390}


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


def shoot(home: Path, out: Path, schemes: Sequence[str] = ("light", "dark"), query: str = "") -> list[Path]:
    """The pictures written: each page at each width in each colour scheme.

    Parameters
    ----------
    home, out : Path
    schemes : sequence of str
        ``light``, ``dark``.
    query : str
        Filters, as in the address.
    """
    out.mkdir(parents=True, exist_ok=True)
    written = []
    with served(home) as address, browser() as chrome:
        for scheme in schemes:
            for suffix, width in WIDTHS.items():
                size = {"width": width, "height": 900}
                context = chrome.new_context(viewport=size, color_scheme=scheme, device_scale_factor=1.5)  # type: ignore[arg-type]
                page = context.new_page()
                for name, path in PAGES.items():
                    page.goto(f"{address}{path}{query}")
                    page.wait_for_selector("#content > :not(.waiting)")
                    page.wait_for_function(
                        "() => [...document.querySelectorAll('.js-plotly-plot')].every(p => p.querySelector('.main-svg'))"
                    )
                    page.wait_for_timeout(400)
                    file = out / f"{name}{suffix}{'-dark' if scheme == 'dark' else ''}.png"
                    page.screenshot(path=str(file), full_page=True)
                    written.append(file)
                context.close()
    return written


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

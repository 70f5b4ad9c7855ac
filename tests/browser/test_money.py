"""The pages of money in a real Chromium: the chargeback is chosen by links, files come down, and a report carries its own."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import expect

from dashboards import export
from tests.browser.conftest import HOSTILE, Watched

pytestmark = pytest.mark.browser

Watch = Callable[..., Watched]


def test_the_tag_is_chosen_by_a_link_and_a_row_leads_down(watch: Watch, site: str) -> None:
    watched = watch()
    page = watched.goto(f"{site}cost?period=all")
    page.locator(".choice", has_text="Workflow").click()
    expect(page).to_have_url(re.compile(r"period=all&by=workflow$"))
    expect(page.locator(".choice.chosen").first).to_have_text("Workflow")
    watched.settled()
    page.get_by_role("table", name="Who pays, by workflow").get_by_role("link", name="contract-review").click()
    expect(page).to_have_url(re.compile(r"workflow=contract-review&period=all&by=release$"))
    expect(page.get_by_role("table", name="The dearest runs")).to_be_visible(timeout=60_000)
    watched.settled()
    assert watched.is_clean(site), (watched.errors, watched.requests)


def test_a_file_of_what_is_shown_comes_down(watch: Watch, site: str) -> None:
    page = watch().goto(f"{site}cost?period=all&by=team")
    with page.expect_download() as begun:
        page.locator(".files span", has_text="Chargeback").get_by_role("link", name="Parquet").click()
    rows = pl.read_parquet(io.BytesIO(Path(begun.value.path()).read_bytes()))
    assert begun.value.suggested_filename == "plumbline-chargeback.parquet"
    assert set(rows["team"].drop_nulls()) == {"claims", "finance", "legal", "support"}


def test_a_report_hands_out_its_files_without_a_network(watch: Watch, hostile_home: Path, tmp_path: Path) -> None:
    written = {path.name: path for path in export(hostile_home, tmp_path)}
    watched = watch(is_alone=True, offline=True)
    page = watched.page
    page.goto(written["cost.html"].as_uri())
    with page.expect_download() as begun:
        page.locator(".files span", has_text="Cost by model").get_by_role("link", name="CSV").click()
    text = Path(begun.value.path()).read_text(encoding="utf-8")
    assert HOSTILE in text, "names are text, as they were sent"
    assert "\n'=cmd()" in text and "\n=cmd()" not in text, "and no cell starts a formula"

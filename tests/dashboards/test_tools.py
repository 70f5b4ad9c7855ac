"""The page of tools: what fails more, what is new, what the catalog does not know; and where there is nothing to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.app import Pages, render
from dashboards.data import Reader
from dashboards.filters import Filters
from tests.dashboards.fleet import write_home
from tests.dashboards.test_pages import said
from warehouse import Warehouse


@pytest.fixture
def shown(reader: Reader):
    def show(path: str = "/tools", **filters: str) -> str:
        return said(render(Pages(reader), path, Filters(**filters)))

    return show


def test_each_tool_stands_with_its_failures_and_what_changed(shown) -> None:
    page = shown()
    for name in ("ledger.lookup", "issue_refund", "search", "mailer"):
        assert name in page
    assert "ledger.lookup fails in 1" in page and "instead of 1" in page
    assert "is called with 1 new argument shape" in page
    assert "95 % interval over runs" in page


def test_a_tool_that_is_slower_than_before_is_said_to_be(shown) -> None:
    assert "at the 95th percentile instead of" in shown()


def test_a_tool_that_the_catalog_lacks_is_named(shown) -> None:
    page = shown()
    assert "mailer is not in the catalog" in page
    assert "Certified" in page.title() and "Declared" in page.title()


def test_without_a_catalog_no_tool_is_called_unknown(own_home: Path) -> None:
    with Warehouse.open(own_home / "warehouse") as warehouse:
        warehouse.transaction(lambda connection: connection.execute("DELETE FROM catalog_tools"))
    reader = Reader(own_home)
    page = said(render(Pages(reader), "/tools", Filters()))
    reader.close()
    assert "the catalog lists no tools" in page
    assert "is not in the catalog" not in page


def test_a_tool_opens_with_its_errors_shapes_and_users(shown) -> None:
    page = shown(tool="ledger.lookup")
    assert "With which errors" in page and "timeout" in page
    assert "With which argument shapes" in page and "bb22" in page
    assert "Who calls it" in page and "invoice-matching" in page
    assert "nothing is declared that undoes it" not in page
    assert "by reverse_refund" in shown(tool="issue_refund")


def test_a_tool_that_was_not_called_says_so_and_leads_back(shown) -> None:
    page = shown(tool="no such tool")
    assert "no such tool was not called" in page and "All tools" in page


def test_filters_hold(shown) -> None:
    page = shown(workflow="it-helpdesk")
    assert "mailer" in page and "ledger.lookup" not in page
    assert "No tool call of nobody" in shown(workflow="nobody")


def test_before_the_marts_are_there_the_page_says_what_to_do(own_home: Path) -> None:
    with Warehouse.open(own_home / "warehouse") as warehouse:
        for mart in ("tool_calls_hourly", "policy_events_hourly"):
            warehouse.transaction(lambda connection, mart=mart: connection.execute(f"DROP TABLE {mart}"))
    reader = Reader(own_home)
    for path in ("/tools", "/policy"):
        assert "plumbline refresh" in said(render(Pages(reader), path, Filters())), path
    reader.close()


def test_one_day_has_nothing_to_compare_with(tmp_path: Path) -> None:
    home = write_home(tmp_path, days=1)
    reader = Reader(home)
    page = said(render(Pages(reader), "/tools", Filters()))
    reader.close()
    assert "no earlier period to compare with" in page
    assert "fails in" not in page and "new argument shape" not in page.replace("New argument shapes", "")

"""The page of policies: what was not allowed, what was done against it, versions, approvals; and where there is nothing."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from dashboards.app import Pages, render
from dashboards.data import Reader, View
from dashboards.export import Writer
from dashboards.filters import Filters
from dashboards.governing import KINDS, governed, versions
from tests.dashboards.test_pages import said
from warehouse import Warehouse


@pytest.fixture
def shown(reader: Reader):
    def show(**filters: str) -> str:
        return said(render(Pages(reader), "/policy", Filters(**filters)))

    return show


def test_the_numbers_are_those_of_the_scorecard(reader: Reader, view: View) -> None:
    events = reader.rows("policy_events", view.parameters()).filter(span="current")
    now, scorecard = governed(events), view.policy.filter(pl.col("span") == "current")
    assert (now.decisions, now.allowed) == (scorecard["decisions"].sum(), scorecard["allowed"].sum())
    assert now.adherence is not None and 0.9 < now.adherence < 1


def test_what_was_done_against_a_decision_is_said_first_with_its_runs(shown, reader: Reader, view: View) -> None:
    page = shown(period="all")
    found = reader.rows("policy_runs", [view.extent.earliest_at, view.window.end, *[None] * 4, 6])
    assert set(found["kind"]) == {
        "carried out despite a deny",
        "approval bypassed",
        "irreversible without approval",
        "outdated version",
    }
    for kind in set(found["kind"]):
        assert KINDS[kind] in page
    assert page.index("carried out despite a deny") < page.index("outdated version")
    for run in found.filter(kind="approval bypassed")["run_id"].to_list():
        assert run in page


def test_a_finding_leads_to_its_run(reader: Reader) -> None:
    page = Writer()
    written = page.html(render(Pages(reader), "/policy", Filters(period="all")))
    assert 'class="run"' in written
    links = re.findall(r"/runs\?run=[0-9a-f]{32}", str(render(Pages(reader), "/policy", Filters(period="all"))))
    assert len(links) > 5


def test_an_outdated_version_is_named_with_what_is_in_force(shown, reader: Reader, view: View) -> None:
    page = shown()
    assert "access 11 Outdated" in page.replace("outdated", "Outdated")
    events, declared = reader.rows("policy_events", view.parameters()), reader.rows("policy_versions")
    found = {row.version: row for row in versions(events, declared, view.window)}
    assert found["11"].standing == "outdated" and found["11"].strayed == found["11"].decisions > 0
    assert found["12"].standing == "in force" and found["12"].is_in_force and not found["11"].is_in_force


def test_approvals_are_counted_by_how_they_ended(shown) -> None:
    page = shown(period="all", workflow="customer-refunds")
    assert re.search(r"3 of [\d,]+; [\d,]+ granted, [\d,]+ denied", page)


def test_filters_hold(shown) -> None:
    assert "approval bypassed" not in shown(workflow="it-helpdesk", period="all")
    assert "No policy decision of nobody" in shown(workflow="nobody")


def test_without_policies_in_the_catalog_no_version_is_judged(own_home: Path) -> None:
    from warehouse import marts

    with Warehouse.open(own_home / "warehouse") as warehouse:
        warehouse.transaction(lambda connection: connection.execute("DELETE FROM catalog_policies"))
        for mart in ("policy_events_hourly", "policy_findings"):
            marts.build(warehouse, mart, whole=True)
    reader = Reader(own_home)
    page = said(render(Pages(reader), "/policy", Filters()))
    reader.close()
    assert "the catalog declares no policies" in page and "outdated version" not in page


def test_without_a_decision_the_page_says_what_to_send(own_home: Path) -> None:
    with Warehouse.open(own_home / "warehouse") as warehouse:
        for mart in ("policy_events_hourly", "policy_findings"):
            warehouse.transaction(lambda connection, mart=mart: connection.execute(f"DELETE FROM {mart}"))
    reader = Reader(own_home)
    page = said(render(Pages(reader), "/policy", Filters()))
    reader.close()
    assert "No policy decision yet" in page and "plumbline.policy.decision" in page


def test_names_of_policies_rules_and_tools_stay_text(own_home: Path) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    with Warehouse.open(own_home / "warehouse") as warehouse:
        for sql in (
            "UPDATE policy_events_hourly SET name = ?, version = name, rule = name",
            "UPDATE policy_findings SET name = ?, detail = name",
            "UPDATE tool_calls_hourly SET tool_name = ?",
            "UPDATE tool_variants_daily SET tool_name = ?, variant = tool_name",
        ):
            warehouse.transaction(lambda connection, sql=sql: connection.execute(sql, [hostile]))
            if "= name" in sql or "= tool_name" in sql:  # an update reads the row as it was
                warehouse.transaction(lambda connection, sql=sql: connection.execute(sql, [hostile]))
    reader = Reader(own_home)
    for path in ("/tools", "/policy"):
        writer = Writer()
        written = writer.html(render(Pages(reader), path, Filters(tool=hostile))) + "".join(writer.figures)
        assert "&lt;img src=x" in written and "<img src=x" not in written, path
    reader.close()

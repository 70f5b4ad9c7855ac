"""The pages of money: who pays, what is left, the way down to a run, and the files of what is shown."""

from __future__ import annotations

import base64
import html as escaping
import io
import re
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from dash import html
from polars.testing import assert_frame_equal

from dashboards.app import Pages, create_app, render
from dashboards.data import Reader
from dashboards.downloads import links, written
from dashboards.export import Writer
from dashboards.filters import Filters
from dashboards.pages.asked import Asked
from dashboards.pages.chargeback import chargeback_of
from dashboards.pages.cost import PAGE
from dashboards.pages.toolspend import by_tool
from pipelines.budgets import write_budgets
from tests.dashboards.fleet import WORKFLOWS, write_home
from warehouse import Warehouse, read_only

ALL = "/download/chargeback.parquet?period=all"


def written_out(reader: Reader, path: str, **filters: str) -> str:
    """The words of a page, without markup."""
    page = Writer().html(render(Pages(reader), path, Filters(**filters)))
    return re.sub(r"\s+", " ", escaping.unescape(re.sub(r"<[^>]*>", " ", page)))


def asked(reader: Reader, **filters: str) -> Asked:
    view = reader.view(Filters(**filters))
    assert view is not None
    return Asked(view, reader)


@pytest.fixture(scope="module")
def streamed(streamed_home: Path) -> Iterator[Reader]:
    with Warehouse.open(streamed_home / "warehouse") as warehouse:
        write_budgets(warehouse)
    reader = Reader(streamed_home)
    yield reader
    reader.close()


@pytest.mark.parametrize("by", ["team", "cost_center", "workflow", "model", "release", "environment", "mode"])
def test_whoever_pays_the_rows_sum_to_all_that_was_spent(reader: Reader, by: str) -> None:
    spent = reader.rows("spend_by_day", [None] * 4)["spent_usd"].sum()
    for shared in (None, "it-helpdesk"):
        rows = chargeback_of(asked(reader, by=by, period="all", **({"shared": shared} if shared else {})))
        assert rows["total_usd"].sum() == pytest.approx(spent, rel=1e-9)


def test_shared_cost_follows_what_each_spends_itself(reader: Reader) -> None:
    own = chargeback_of(asked(reader, by="team", period="all"))
    split = chargeback_of(asked(reader, by="team", period="all", shared="it-helpdesk"))
    assert own["shared_usd"].is_null().all()
    known = split.drop_nulls("own_usd")
    ratios = (known["shared_usd"] / known["own_usd"]).to_list()
    assert max(ratios) == pytest.approx(min(ratios)) and min(ratios) > 0
    page = written_out(reader, "/cost", by="team", shared="it-helpdesk", period="all")
    assert "The cost of it-helpdesk is split over the others" in page


def test_runs_without_a_tag_are_a_row_of_their_own(tmp_path: Path) -> None:
    home = write_home(tmp_path / "untagged", days=2, scale=0.2)
    with Warehouse.open(home / "warehouse") as warehouse:
        warehouse.transaction(
            lambda c: c.execute("UPDATE runs_hourly SET team = NULL WHERE workflow = 'claims-triage'")
        )
    reader = Reader(home)
    assert "(unallocated)" in written_out(reader, "/cost", period="all")
    reader.close()


def test_the_way_down_leads_from_team_to_workflow_to_release_to_run(reader: Reader) -> None:
    name = WORKFLOWS[2][0]
    team = str(render(Pages(reader), "/cost", Filters(by="team", period="all")))
    assert "team=legal&by=workflow" in team
    workflow = str(render(Pages(reader), "/cost", Filters(by="workflow", team="legal", period="all")))
    assert f"workflow={name}&period=all&team=legal&by=release" in workflow
    runs = str(render(Pages(reader), "/cost", Filters(workflow=name, team="legal", period="all")))
    assert re.search(r"/runs\?workflow=contract-review[^']*run=[0-9a-f]{32}", runs)


def test_what_each_tool_costs_is_what_its_calls_cost_in_the_warehouse(streamed: Reader) -> None:
    found = by_tool(asked(streamed, period="all"))
    sql = "SELECT tool_name, count(*) AS calls, sum(cost_usd) AS cost_usd FROM tool_calls GROUP BY tool_name ORDER BY tool_name"
    with read_only(streamed.path) as warehouse:
        stated = warehouse.query(sql)
        of_runs = warehouse.query("SELECT sum(tool_cost_usd) FROM runs").item()
    assert_frame_equal(found.select(stated.columns).sort("tool_name"), stated, rel_tol=1e-9)
    assert found["cost_usd"].sum() == pytest.approx(of_runs, rel=1e-9) and found["share"].sum() == pytest.approx(1)


def test_a_tool_without_a_price_has_no_cost_and_is_said_to_be_unknown(reader: Reader) -> None:
    rows = {row["tool_name"]: row for row in by_tool(asked(reader)).to_dicts()}
    assert list(rows)[:2] == ["issue_refund", "ledger.lookup"]
    for name in ("search", "mailer"):
        assert rows[name]["calls"] > 0 and rows[name]["cost_usd"] is rows[name]["share"] is None
    assert rows["issue_refund"]["cost_usd"] == pytest.approx(0.01 * rows["issue_refund"]["calls"])
    page = written_out(reader, "/cost")
    assert "2 tools have no price in the catalog" in page and "is unknown, not nothing" in page
    assert re.search(r"Coverage [\d,]+ of [\d,]+ tool calls have a price in the catalog", page)


def test_what_tools_cost_follows_the_filters(reader: Reader) -> None:
    assert by_tool(asked(reader, workflow="customer-refunds"))["tool_name"].to_list() == ["issue_refund"]
    whole, part = by_tool(asked(reader)), by_tool(asked(reader, environment="staging"))
    assert 0 < part["cost_usd"].sum() < whole["cost_usd"].sum()
    assert by_tool(asked(reader, period="all"))["cost_before_usd"].null_count() == 4
    assert "No call of a tool in this period" not in written_out(reader, "/cost")


def test_without_a_price_of_any_tool_the_page_says_what_to_declare(own_home: Path) -> None:
    with Warehouse.open(own_home / "warehouse") as warehouse:
        warehouse.transaction(
            lambda connection: connection.execute("UPDATE catalog_tools SET cost_per_call_usd = NULL")
        )
    reader = Reader(own_home)
    assert "cost_per_call_usd below tools in catalog.yaml" in written_out(reader, "/cost")
    with Warehouse.open(own_home / "warehouse") as warehouse:
        warehouse.transaction(lambda connection: connection.execute("DROP TABLE tool_calls_hourly"))
    assert "Tool calls are not counted yet" in written_out(reader, "/cost")
    assert by_tool(asked(reader)).is_empty()
    reader.close()


def test_an_unknown_tag_in_the_address_is_the_team(reader: Reader) -> None:
    assert "Who pays, by team" in written_out(reader, "/cost", by="x' OR 1=1")


def test_a_budget_says_how_it_stands_and_the_month_where_it_lands(streamed: Reader) -> None:
    page = written_out(streamed, "/cost", period="all")
    assert "Burn, 1 d / 7 d" in page and "Over budget" in page
    assert "A forecast needs 5 complete days of spend; there are 1." in page


def test_without_a_budget_the_page_says_what_to_declare(reader: Reader) -> None:
    assert "budget_usd_per_month" in written_out(reader, "/cost")


def test_the_scorecard_says_what_is_safe_to_expand_and_what_is_not_known(streamed: Reader) -> None:
    page = written_out(streamed, "/", period="all")
    assert "Safe to expand?" in page and "conditions met" in page
    assert "Audit completeness" in page and "Time to roll back" in page
    assert "figures can't be told yet" in page


def test_a_workflow_that_moved_has_its_reason_and_one_that_did_not_has_none(reader: Reader) -> None:
    page = written_out(reader, "/")
    assert re.search(r"contract-review (Hold|Not proven).{0,700}?Cost per outcome \+\d+ %: [a-z]+", page)
    assert "Within sampling" in page


def test_a_file_holds_what_is_shown_exactly_and_no_formula() -> None:
    frame = pl.DataFrame({"workflow": ["=1+1", "@x", "plain", None], "cost_usd": [0.1 + 0.2, None, 1e-300, 3.0]})
    assert pl.read_parquet(io.BytesIO(written(frame, "parquet"))).equals(frame)
    lines = written(frame, "csv").decode().splitlines()
    assert lines[1].startswith("'=1+1,0.30000000000000004") and lines[2].startswith("'@x,")


def test_the_app_hands_out_the_files_of_the_filters_in_the_address(home: Path, reader: Reader) -> None:
    client = create_app(home).server.test_client()
    answer = client.get(f"{ALL}&by=workflow", headers={"Host": "127.0.0.1"})
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == 'attachment; filename="plumbline-chargeback.parquet"'
    rows = pl.read_parquet(io.BytesIO(answer.data))
    shown = chargeback_of(asked(reader, by="workflow", period="all")).rename({"tag": "workflow"})
    assert_frame_equal(rows, shown, rel_tol=1e-12)  # two connections may add up in two orders
    for name in PAGE.files:
        for kind in ("csv", "parquet"):
            assert client.get(f"/download/{name}.{kind}", headers={"Host": "127.0.0.1"}).status_code == 200
    for wrong in ("/download/chargeback.exe", "/download/spans.csv"):
        assert client.get(wrong, headers={"Host": "127.0.0.1"}).status_code == 404
    other = client.get("/download/..%2Fwarehouse%2Fcatalog.sqlite", headers={"Host": "127.0.0.1"})
    assert other.mimetype == "text/html" and "Content-Disposition" not in other.headers, (
        "the page that says there is none"
    )
    assert client.get(ALL, headers={"Host": "evil.example"}).status_code == 400


def test_a_report_carries_its_files_in_itself(reader: Reader) -> None:
    view = reader.view(Filters())
    assert view is not None
    shown = links(Asked(view, reader, is_report=True), PAGE.files)
    assert isinstance(shown, html.Div)
    page = Writer().html(shown)
    assert "/download/" not in page
    found = [
        (content[1], name[1])
        for tag in re.findall(r"<a [^>]*>", page)
        if (content := re.search(r'href="data:application/vnd\.apache\.parquet;base64,([^"]+)"', tag))
        and (name := re.search(r'download="plumbline-([a-z-]+)\.parquet"', tag))
    ]
    assert {name for _, name in found} == set(PAGE.files)
    over_time = next(content for content, name in found if name == "cost-over-time")
    assert pl.read_parquet(io.BytesIO(base64.b64decode(over_time)))["runs"].sum() == view.cohorts["runs"].sum()

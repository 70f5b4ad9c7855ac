"""Whether everything is watched: what the drift page says of the detectors' streams, and where nothing is noted."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from dashboards.access.readers import Readers
from dashboards.access.viewer import Role, Viewer
from dashboards.app import Pages, render
from dashboards.data import Reader
from dashboards.filters import Filters
from dashboards.pages.watched import counted
from tests.dashboards.test_pages import said
from warehouse import Warehouse

COLUMNS = ("workflow", "family", "metric", "needs_data", "warming_up", "watching", "alarmed", "retired")
ROWS = [
    ("claims-triage", "tool", "tool_error", 2, 1, 3, 0, 4),
    ("claims-triage", "cost", "cost_usd_per_run", 0, 0, 1, 0, 0),
    ("claims-triage", "behavior", "path", 0, 0, 1, 0, 0),
    ("it-helpdesk", "tool", "tool_mix", 0, 0, 0, 1, 0),
]


@pytest.fixture
def noted(own_home: Path) -> Path:
    rows = pl.DataFrame(ROWS, schema=COLUMNS, orient="row").with_columns(noted_at=pl.lit(datetime(2026, 3, 8, 12)))
    off = pl.DataFrame(
        {
            "workflow": ["claims-triage"],
            "drift": [json.dumps({"streams": {"path": False, "denied": True, "looped": False}})],
        }
    )
    with Warehouse.open(own_home / "warehouse") as warehouse:
        for table, frame in (("detector_streams", rows), ("catalog_workflows", off)):
            warehouse.transaction(lambda connection, t=table, f=frame: warehouse.insert(connection, t, f))
    return own_home


def shown(reader: Reader, **filters: str) -> str:
    return said(render(Pages(reader), "/drift", Filters(**filters)))


def test_each_workflow_says_how_much_of_it_is_watched(noted: Path) -> None:
    reader = Reader(noted)
    page = shown(reader)
    reader.close()
    assert "5 of 8 streams watch, 1 warms up, 2 need data; last change 8 Mar 2026" in page, (
        "path is off: it is not among them"
    )
    assert re.search(r"it-helpdesk 1 of 1", page) and "1 has alarmed" in page
    assert "2 off, 4 retired" in page and "path, looped" in page
    assert "Without any stream" in page and "customer-refunds" in page.partition("Without any stream")[2][:200]
    assert page.index("claims-triage 4 of 7") < page.index("it-helpdesk 1 of 1"), "what is watched least comes first"


def test_a_workflow_says_which_metrics_wait_and_for_what(noted: Path) -> None:
    reader = Reader(noted)
    page = shown(reader, workflow="claims-triage")
    reader.close()
    assert "Wait for 30 units" in page and "The catalog switches it off" in page
    assert "tool_mix" not in page and "model cost per run cost_usd_per_run" not in page, "what watches is not listed"


def test_streams_of_a_metric_that_is_off_are_none_that_watch() -> None:
    rows = [dict(zip(COLUMNS, row, strict=True), is_off=row[2] == "path") for row in ROWS]
    found = counted([*rows, {**dict.fromkeys(COLUMNS), "metric": "looped", "is_off": True}])
    assert (found.living, found.ready, found.retired, found.off) == (8, 5, 4, ["path", "looped"])


def test_a_viewer_of_a_team_sees_the_streams_of_its_workflows(noted: Path) -> None:
    reader = Readers(noted).reader_for(Viewer("ada", Role.VIEWER, frozenset({"claims"})))
    page = shown(reader)
    reader.close()
    assert "claims-triage 4 of 7" in page and "4 of 7 streams watch" in page and "it-helpdesk" not in page


def test_where_nothing_is_noted_the_page_says_what_to_do(own_home: Path) -> None:
    reader = Reader(own_home)
    assert "run plumbline stream" in shown(reader)
    with Warehouse.open(own_home / "warehouse") as warehouse:
        warehouse.transaction(lambda connection: connection.execute("DROP TABLE detector_streams"))
    assert "This warehouse does not say yet" in shown(reader)
    reader.close()

"""The benchmark itself: small, so that it works when somebody needs a figure. Nothing here looks at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dashboards.pages.registry import PAGES
from pipelines.contracts.otlp import trace_request_type
from pipelines.sources.files import records
from tests.benchmarks import alerting, month, reading, report, throughput, viewing
from tests.benchmarks.machine import machine
from tests.benchmarks.traffic import traffic
from tests.warehouse.hostile import write_small_lake


@pytest.mark.slow
def test_throughput_counts_what_is_stored_and_its_page_shows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = traffic(tmp_path / "traffic", 4_000, seed=3)
    found = throughput.from_files(tmp_path, load)
    assert found["spans"] == load.spans
    assert 1_000 < found["wire_bytes_per_span"] < 1_500
    assert {"poll", "decode", "normalise", "price", "commit", "detect"} <= set(found["steps"])

    page = tmp_path / "benchmarks.md"
    page.write_text("before\n<!-- throughput -->\nold\n<!-- end -->\nafter\n")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "benchmarks.json")
    report.record({"throughput": {"machine": machine(), "seed": 3, "at": "2026-11-22", "figures": {"files": found}}})
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert f"| spans stored | {load.spans:,} |" in text
    assert (
        json.loads((tmp_path / "benchmarks.json").read_text())["throughput"]["figures"]["files"]["spans"] == load.spans
    )


def test_event_time_of_the_alerting_traffic_goes_as_fast_as_the_clock(tmp_path: Path) -> None:
    load = traffic(tmp_path / "traffic", 4_000, seed=3)
    messages = [value for path in load.files for _, _, value in records(path)]
    shifted = alerting._in_step(messages, 60.0)
    assert len(shifted) == len(messages)

    def ends(value: bytes) -> list[int]:
        message = trace_request_type()()
        message.ParseFromString(value)  # pyright: ignore[reportAttributeAccessIssue]
        parts = message.resource_spans  # pyright: ignore[reportAttributeAccessIssue]
        return [each.end_time_unix_nano for part in parts for scope in part.scope_spans for each in scope.spans]

    begin = alerting._nanoseconds(alerting._START)
    latest = [max(end for end in ends(value) if end < alerting._LATEST_NS) - begin for value in shifted]
    assert latest == pytest.approx([60e9 * number / len(messages) for number in range(len(messages))], abs=1e4)
    assert [len(ends(value)) for value in shifted] == [len(ends(value)) for value in messages]


@pytest.mark.slow
def test_a_months_questions_are_asked_of_copies_that_hold_what_the_day_holds(tmp_path: Path) -> None:
    found = month.month(tmp_path, 12_000, seed=3, base_spans=4_000)
    rows = found["rows"]
    assert rows["spans"] >= 12_000 > found["spans_in_month"] > 0
    assert rows["runs"] < rows["tool_calls"] < rows["spans"]
    assert len(found["questions"]) == 11
    assert all(each["rows"] for each in found["questions"]), found["questions"]
    result = {"machine": machine(), "seed": 3, "at": "2026-11-28", "figures": found}
    assert f"{rows['spans']:,} spans" in report.table("warehouse", result)


@pytest.mark.slow
def test_the_storm_becomes_one_message_per_workflow_subscription_and_interval(tmp_path: Path) -> None:
    pytest.importorskip("pipelines.notifications.channels", reason="the channels are not installed")
    found = alerting.storm(tmp_path, 120, workflows=8)
    assert {each["subscription"] for each in found} == {"often", "seldom"}
    for each in found:
        assert each["messages"] == each["received"] >= each["workflows"]
        assert each["most_per_workflow_and_interval"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("way", ["plumbline sql", "ATTACH"])
def test_a_reader_asks_in_turn_and_counts_what_fails(tmp_path: Path, way: str) -> None:
    assert len(reading.statements()) == 20
    write_small_lake(tmp_path / "warehouse")
    left = iter([True] * 3)
    with reading.opened(way, tmp_path) as ask:
        assert ask("FROM consumed_offsets") == 151
        found = reading.read(ask, ["SELECT 1", "SELECT nothing"], lambda: next(left, False))
    assert len(found["seconds"]) == 2
    assert len(found["errors"]) == 1 and "nothing" in found["errors"][0]


@pytest.mark.slow
def test_viewers_ask_for_every_page_and_the_table_shows_each(tmp_path: Path) -> None:
    found = viewing.viewing(tmp_path, 20_000, viewers=2, seconds=0.1, seed=3)
    assert found["runs_rows"] == 20_000 / viewing.SPANS_PER_RUN
    assert [each["page"] for each in found["pages"]] == [*(page.tab for page in PAGES), "all"]
    assert all(each["cold_p50_seconds"] > 0 for each in found["pages"]), "after the revisions each was asked for"
    table = report._dashboard(found)
    assert all(f"| {page.tab} |" in table for page in PAGES)

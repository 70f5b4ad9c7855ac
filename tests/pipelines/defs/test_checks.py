"""Each expectation on runs names what breaks it, and the stream may go on meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines.defs.checks import examine_cost, examine_prices, examine_runs
from pipelines.defs.expectations import Finding, between, findings, not_null, shown, total, unique
from tests.pipelines.defs.conftest import RUNS, run_spans, span, store
from warehouse import Warehouse, WarehouseError, marts


@pytest.fixture
def built(home: Path) -> Iterator[Warehouse]:
    with Warehouse.open(home / "warehouse") as warehouse:
        for name in ("event_clock", "runs"):
            marts.build(warehouse, name)
        yield warehouse


def spoil(warehouse: Warehouse, *statements: str) -> None:
    def work(connection: duckdb.DuckDBPyConnection) -> None:
        for statement in statements:
            connection.execute(statement)

    warehouse.transaction(work)


def broken(warehouse: Warehouse, since: int | None = None) -> list[Finding]:
    return [finding for finding in examine_runs(warehouse, since).findings if not finding.passed]


def test_each_broken_rule_is_named_with_its_rows(built: Warehouse) -> None:
    spoil(
        built,
        "UPDATE runs SET workflow = NULL WHERE run_id LIKE '%1'",
        "UPDATE runs SET cost_usd = -0.5 WHERE run_id LIKE '%2'",
        "UPDATE runs SET model_calls = -1 WHERE run_id LIKE '%3'",
        "UPDATE runs SET started_at = TIMESTAMP '1971-01-01' WHERE run_id LIKE '%4'",
        "UPDATE runs SET run_id = 'same' WHERE run_id LIKE '%5' OR run_id LIKE '%6'",
        "UPDATE runs SET cost_usd = -1 WHERE run_id LIKE '%DROP%'",
        "DELETE FROM runs WHERE run_id LIKE '%7'",
    )
    found = {finding.rule.split(" 2015")[0]: finding for finding in broken(built)}
    assert {rule: (finding.observed, finding.bad_rows) for rule, finding in found.items()} == {
        "run_id is unique": ("2 of 11 rows break it", 2),
        "workflow is never null": ("1 of 11 rows break it", 1),
        "rows are as many as the distinct run_id of spans: 12": ("11", 1),
        "model_calls add up to the spans of kind model: 12": ("9", 1),
        "tool_calls add up to the spans of kind tool: 12": ("11", 1),
        "model_calls is 0 or more, where known": ("1 of 11 rows break it", 1),
        "cost_usd is 0 or more, where known": ("2 of 11 rows break it", 2),
        "started_at lies between": ("1 of 11 rows break it", 1),
    }
    assert found["run_id is unique"].examples == "same, same"
    assert f"{2:032x}: -0.5" in found["cost_usd is 0 or more, where known"].examples
    assert "1971-01-01" in found["started_at lies between"].examples
    assert all(finding.examples.isprintable() for finding in found.values())


def test_a_check_that_passed_looks_at_what_changed_since_and_finds_what_it_would_of_all(
    built: Warehouse, home: Path
) -> None:
    first = examine_runs(built)
    assert all(finding.passed for finding in first.findings)
    assert examine_runs(built, first.snapshot).findings == [], "nothing changed"
    store(home, "spans", run_spans(RUNS))
    marts.build(built, "event_clock")
    marts.build(built, "runs")
    again = examine_runs(built, first.snapshot)
    rules = {finding.rule: finding for finding in again.findings}
    assert rules["rows are as many as the distinct run_id of spans: 1"].observed == "1", "of the new run alone"
    assert all(finding.passed for finding in again.findings)
    spoil(built, "UPDATE runs SET cost_usd = -1 WHERE run_id LIKE '%2'", "DELETE FROM runs WHERE run_id LIKE '%3'")
    of_all = {finding.rule.split(":")[0]: finding.examples for finding in broken(built)}
    assert {finding.rule.split(":")[0]: finding.examples for finding in broken(built, again.snapshot)} == of_all
    assert len(of_all) == 4


def test_spans_that_came_since_runs_was_built_are_no_fault(built: Warehouse, home: Path) -> None:
    assert broken(built) == []
    store(home, "spans", run_spans(RUNS))
    assert broken(built) == []


def test_a_start_that_the_stream_has_flagged_is_counted_there_and_not_again(home: Path) -> None:
    wrong = {"started_at": datetime(1970, 1, 1), "ended_at": datetime(1970, 1, 1)}
    store(home, "spans", [span(RUNS, 0, "run", **wrong, quality_flags=["time_out_of_range"])])
    with Warehouse.open(home / "warehouse") as warehouse:
        for name in ("event_clock", "runs"):
            marts.build(warehouse, name)
        assert broken(warehouse) == []


def test_a_table_that_no_build_has_made_is_refused(built: Warehouse) -> None:
    spoil(built, "COMMENT ON TABLE runs IS NULL")
    with pytest.raises(WarehouseError, match="run `plumbline refresh`"):
        examine_runs(built)


def test_findings_come_in_the_order_of_the_expectations_and_survive_a_missing_column() -> None:
    frame = pl.DataFrame({"id": ["a", "b", "b"], "n": [1, None, -3]}, schema={"id": pl.String, "n": pl.Int64})
    expectations = [between("n", 0), not_null("absent"), unique("id"), total("n", -2, -2, "whole")]
    found = findings(frame, expectations, key="id")
    assert [finding.rule for finding in found] == [expectation.rule for expectation in expectations]
    assert [finding.passed for finding in found] == [False, False, False, True]
    assert found[0].examples == "b: -3.0"
    assert "could not be evaluated" in found[1].observed


def test_no_rows_break_no_rule() -> None:
    frame = pl.DataFrame(schema={"id": pl.String, "n": pl.Int64, "x": pl.Float64, "at": pl.Datetime("us")})
    rules = [
        not_null("id"),
        unique("id"),
        between("n", 0),
        between("x", 0),
        between("at", datetime(2015, 1, 1)),
        total("n", 0, 0, "x"),
    ]
    assert [finding.rule for finding in findings(frame, rules, key="id") if not finding.passed] == []


@pytest.mark.parametrize(
    ("value", "text"), [("a\x1b[31m\nb", "a\ufffd[31m\ufffdb"), ("x" * 100, "x" * 63 + "…"), (None, "null")]
)
def test_values_from_traces_are_shown_short_and_printable(value: Any, text: str) -> None:
    assert shown(value) == text


def test_a_day_that_does_not_add_up_to_its_runs_is_named(built: Warehouse) -> None:
    for name in ("model_calls", "tool_calls", "repeated_work", "cost_by_day"):
        marts.build(built, name)
    assert all(finding.passed for finding in examine_cost(built).findings)
    spoil(
        built,
        "UPDATE cost_by_day SET cost_usd = cost_usd + 1 WHERE \"by\" = 'team'",
        "DELETE FROM cost_by_day WHERE \"by\" = 'model'",
    )
    found = {finding.rule.split()[0]: finding for finding in examine_cost(built).findings}
    assert {name for name, finding in found.items() if not finding.passed} == {"cost_usd"}, (
        "the other ways have all runs"
    )
    spoil(built, "UPDATE cost_by_day SET runs = 0", "UPDATE runs SET workflow = 'lost' WHERE run_id LIKE '%1'")
    found = {finding.rule.split()[0]: finding for finding in examine_cost(built).findings}
    assert not found["runs"].passed and "lost" in found["runs"].examples


def test_a_model_without_a_price_is_named(built: Warehouse) -> None:
    marts.build(built, "model_calls")
    spoil(built, "UPDATE model_calls SET cost_usd = 0.01, request_model = 'm'")
    assert all(finding.passed for finding in examine_prices(built).findings)
    spoil(built, "UPDATE model_calls SET cost_usd = NULL, request_model = '<b>house</b>' WHERE run_id LIKE '%1'")
    (finding,) = examine_prices(built).findings
    assert not finding.passed and finding.examples == "<b>house</b>: 0.0"

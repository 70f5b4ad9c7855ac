"""What-if: recorded calls priced anew, by the list's own prices, and what cannot be known stays unknown."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.cli import main
from pipelines.economics.whatif import by_workflow, priced_anew
from tests.conftest import SHARED_DATA
from tests.pipelines.stages.test_price import TOKENS
from tests.pipelines.test_real_traces import plumbline

AT = datetime(2025, 8, 1)
SCHEMA: dict[str, Any] = {
    **dict.fromkeys(("trace_id", "span_id", "run_id", "workflow", "kind", "provider"), pl.String),
    **dict.fromkeys(("request_model", "response_model", "service_tier"), pl.String),
    **dict.fromkeys(TOKENS, pl.Int64),
    "started_at": pl.Datetime("us"), "cost_before_usd": pl.Float64,
}  # fmt: skip


def calls(*rows: dict[str, Any]) -> pl.DataFrame:
    usual = {
        "trace_id": "t", "run_id": "r", "workflow": "w", "kind": "model", "provider": "openai", "request_model": "gpt-4.1",
        "response_model": "gpt-4.1-2025-04-14", "input_tokens": 1000, "cached_input_tokens": 500, "cache_write_tokens": None,
        "output_tokens": 100, "started_at": AT, "cost_before_usd": (500 * 2 + 500 * 0.5 + 100 * 8) / 1e6,
    }  # fmt: skip
    return pl.DataFrame([{**usual, "span_id": str(number), **row} for number, row in enumerate(rows)], schema=SCHEMA)


def after(row: dict[str, Any], models: dict[str, str], share: float | None = None) -> float | None:
    return priced_anew(calls(row), models, share)["cost_after_usd"][0]


def test_another_model_costs_its_own_price_on_the_same_tokens() -> None:
    for name in ("gpt-4.1", "gpt-4.1-2025-04-14"):
        assert after({}, {name: "gpt-4.1-mini"}) == pytest.approx((500 * 0.4 + 500 * 0.1 + 100 * 1.6) / 1e6)
    assert after({"response_model": None}, {"gpt-4.1": "gpt-4.1-mini"}) == pytest.approx(0.00041)


def test_another_cache_share_moves_input_between_its_two_prices() -> None:
    assert after({}, {}, 0.0) == pytest.approx((1000 * 2 + 100 * 8) / 1e6)
    assert after({}, {}, 1.0) == pytest.approx((1000 * 0.5 + 100 * 8) / 1e6)
    assert after({"input_tokens": None}, {}, 0.9) == pytest.approx(100 * 8 / 1e6)


def test_what_nothing_changes_keeps_what_it_cost_and_an_unknown_price_is_null() -> None:
    assert after({"cost_before_usd": 5.0}, {"gpt-4o": "gpt-4o-mini"}) == 5.0
    assert after({}, {"gpt-4.1": "no-such-model"}) is None
    assert after({"cost_before_usd": None, "response_model": "own", "request_model": "own"}, {}, 0.5) is None


def test_only_runs_known_both_ways_are_compared() -> None:
    rows = calls(
        {"run_id": "a"},
        {"run_id": "a"},
        {"run_id": "b", "response_model": "own", "request_model": "own", "cost_before_usd": None},
    )
    runs = pl.DataFrame({
        "run_id": ["a", "b", "c"], "workflow": ["w"] * 3, "is_success": [True, True, False], "beside_usd": [1.0, 1.0, 2.0],
    })  # fmt: skip
    row = by_workflow(priced_anew(rows, {"gpt-4.1": "gpt-4.1-mini"}, None), runs).row(0, named=True)
    assert (row["runs"], row["priced_runs"], row["successes"]) == (3, 2, 1)
    assert row["cost_before_usd"] == row["per_success_before_usd"] == pytest.approx(3 + 2 * 0.00205)
    assert row["cost_after_usd"] == pytest.approx(3 + 2 * 0.00041)
    assert row["change_ratio"] == pytest.approx(row["cost_after_usd"] / row["cost_before_usd"] - 1)
    nothing = by_workflow(priced_anew(rows[2:], {}, 0.5), runs[1:2]).row(0, named=True)
    assert (nothing["cost_before_usd"], nothing["cost_after_usd"], nothing["change_ratio"]) == (None, None, None)


def test_recorded_runs_and_bad_questions(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    traces = SHARED_DATA / "tau2" / "traces.otlp.jsonl"
    if not traces.is_file():
        pytest.skip("no shared data")
    plumbline(tmp_path, "stream", "--source", "files", "--until-end", "--files", str(traces))
    plumbline(tmp_path, "refresh")
    capfd.readouterr()
    plumbline(tmp_path, "whatif", "--model", "gpt-4.1=gpt-4.1-mini", "--format", "json")
    found = json.loads(capfd.readouterr().out)
    assert sum(row["cost_before_usd"] for row in found) == pytest.approx(9.871932)
    assert [row["change_ratio"] for row in found] == pytest.approx([-0.8] * 3), "the list has a fifth of each price"
    for bad in (
        ("--model", "x=y"), ("--model", "gpt-4.1"), ("--model", "gpt-4.1=none-such"), ("--cache-share", "1.5"), (),
        ("--cache-share", "0.5", "--workflow", "nope"), ("--cache-share", "0.5", "--period", "soon"),
    ):  # fmt: skip
        assert main(["--home", str(tmp_path), "whatif", *bad]) == 1
        assert capfd.readouterr().err.count("\n") == 1

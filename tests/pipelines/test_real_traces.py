"""Real agent runs and real instrumentations' spans, against what is known of them. From files; tests/kafka has the broker's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.cli import main

BY_MODEL = """
SELECT workflow, model, runs, successes, cost_usd, cost_per_success_usd, price_coverage_ratio,
    input_tokens, output_tokens, tool_calls, tool_errors
FROM cost_per_outcome_by_model
"""


def plumbline(home: Path, *arguments: str) -> None:
    assert main(["--home", str(home), *arguments]) == 0


def rows(home: Path, sql: str, capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    capfd.readouterr()
    plumbline(home, "sql", sql, "--format", "json")
    return json.loads(capfd.readouterr().out)


def check_tau2(found: list[dict[str, object]], expected: dict[str, object]) -> None:
    """Every group's figures are the source's own accounting; unpriced models cost null."""
    groups = {(row["workflow"], row["model"]): row for row in found}
    assert len(groups) == len(expected["groups"]) == len(found)  # pyright: ignore[reportArgumentType]
    priced_cost = priced_successes = 0.0
    for truth in expected["groups"]:  # pyright: ignore[reportGeneralTypeIssues]
        row = groups[(truth["workflow"], truth["model"])]
        for name in ("runs", "successes", "input_tokens", "output_tokens", "tool_calls", "tool_errors"):
            assert row[name] == truth[name], (truth["workflow"], truth["model"], name)
        if truth["priced_runs"]:
            assert row["cost_usd"] == pytest.approx(truth["agent_cost_usd"], abs=1e-6)
            assert row["cost_per_success_usd"] == pytest.approx(truth["cost_per_success_usd"], abs=1e-6)
            assert row["price_coverage_ratio"] == 1
            priced_cost += row["cost_usd"]  # pyright: ignore[reportOperatorIssue]
            priced_successes += row["successes"]  # pyright: ignore[reportOperatorIssue]
        else:
            assert (row["cost_usd"], row["cost_per_success_usd"]) == (None, None)
            assert row["price_coverage_ratio"] == 0
    assert round(priced_cost / priced_successes, 6) == expected["cost_per_success_usd"] == 0.099716


def test_tau2_runs_cost_what_their_source_says(
    shared_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    traces = shared_data / "tau2" / "traces.otlp.jsonl"
    for _ in range(2):  # the second time changes nothing
        plumbline(tmp_path, "stream", "--source", "files", "--files", str(traces), "--until-end")
        plumbline(tmp_path, "refresh")
        expected = json.loads((shared_data / "tau2" / "expected.json").read_text())
        check_tau2(rows(tmp_path, BY_MODEL, capfd), expected)
        (count,) = rows(tmp_path, "SELECT count(*) AS spans, count(DISTINCT run_id) AS runs FROM spans", capfd)
        assert count == {"spans": expected["spans"], "runs": expected["runs"]}


# What the package itself does not emit, seen in its file; the run says so.
NOT_REPORTED = {
    "openinference-openai-agents_1.4.0.json": ["cached_tokens", "errors", "response_model"],
    "openinference-openai_0.1.66.json": [],
    "openllmetry-openai_0.33.12.json": ["cached_tokens", "failed_calls", "tool_spans"],
    "openllmetry-openai_0.62.4.json": ["tool_spans"],
    "otel-openai-agents-v2_0.1.0.json": ["cached_tokens", "errors", "response_model"],
    "pydantic-ai_1.0.5_v1.json": ["cached_tokens"],
    "pydantic-ai_1.0.5_v2.json": ["cached_tokens"],
    "pydantic-ai_2.68.0_v2.json": [],
    "pydantic-ai_2.68.0_v3.json": [],
    "pydantic-ai_2.68.0_v5.json": [],
    "traceloop-sdk_0.62.4.json": [],
    "traceloop-sdk_0.62.4_duplicate-delivery.json": [],
}

TOTALS = """
SELECT
    (SELECT count(*) FROM spans) AS spans,
    (SELECT count(*) FROM redeliveries) AS again,
    (SELECT count(*) FROM dead_letters) AS dead
"""
BY_RUN = "SELECT flag, count(*) AS runs FROM (SELECT unnest(quality_flags) AS flag FROM runs) GROUP BY flag"


def test_every_instrumentations_file_meets_the_truth_or_says_what_is_missing(
    shared_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = shared_data / "otlp" / "live"
    expected = json.loads((folder / "expected.json").read_text())
    for _ in range(2):  # the second time changes nothing
        plumbline(
            tmp_path,
            *("stream", "--source", "files", "--files", str(folder / "[!e]*.json"), "--until-end"),
        )
        found = {row["source_file"]: row for row in rows(tmp_path, "SELECT * FROM usage_by_source_file", capfd)}
        assert found.keys() == expected["observed_per_file"].keys() == NOT_REPORTED.keys()
        for name, row in found.items():
            missing = NOT_REPORTED[str(name)]
            flags: list[str] = row["quality_flags"]  # pyright: ignore[reportAssignmentType]
            assert [flag for flag in flags if flag.endswith("_not_reported")] == [
                f"{one}_not_reported" for one in missing
            ]
            hidden = "failed_calls" in missing
            assert row["deliveries"] == expected["observed_per_file"][name]["spans"], name
            assert (row["input_tokens"], row["output_tokens"]) == (expected["input_tokens"], expected["output_tokens"])
            assert row["cached_input_tokens"] == (
                None if "cached_tokens" in missing else expected["cached_input_tokens"]
            )
            assert row["failed_calls"] == (None if hidden else expected["llm_calls_failed"]), name
            assert row["model_calls"] == expected["llm_calls_ok"] + (0 if hidden else expected["llm_calls_failed"])
            assert row["tool_calls"] == len(expected["tool_calls"]), name
            assert row["request_models"] == [expected["request_model"]]
            assert row["response_models"] == ([] if "response_model" in missing else [expected["response_model"]])
            ignored = "cached_tokens" in missing
            cost = expected["cost_usd_if_cache_ignored" if ignored else "cost_usd_gpt41_list"]
            assert row["cost_usd"] == pytest.approx(cost, abs=1e-9), name
            assert row["price_coverage_ratio"] == 1
    plumbline(tmp_path, "refresh")
    flagged = {row["flag"]: row["runs"] for row in rows(tmp_path, BY_RUN, capfd)}
    # A failed run of a package that leaves cached tokens out has none to leave out.
    assert flagged["cached_tokens_not_reported"] == 5
    assert (flagged["failed_calls_not_reported"], flagged["tool_spans_not_reported"]) == (1, 2)
    (tools,) = rows(tmp_path, "SELECT DISTINCT tool_name FROM tool_calls", capfd)
    assert tools == {"tool_name": expected["tool_calls"][0]["name"]}


def test_the_odd_spans_of_other_tests_are_read_whole(
    shared_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = str(shared_data / "otlp" / "langfuse_test_otlp.jsonl")
    copy = tmp_path / "again.jsonl"
    copy.write_bytes(Path(file).read_bytes())
    plumbline(tmp_path, "stream", "--source", "files", "--files", file, "--until-end")
    (first,) = rows(tmp_path, TOTALS, capfd)
    # 133 spans under 36 pairs of ids; six of them are like another in name, kind and times under the same ids.
    assert first == {"spans": 127, "again": 6, "dead": 0}
    plumbline(tmp_path, "stream", "--source", "files", "--files", str(copy), "--until-end")
    (second,) = rows(tmp_path, TOTALS, capfd)
    assert second == {"spans": 127, "again": 6 + 133, "dead": 0}
    plumbline(tmp_path, "refresh")

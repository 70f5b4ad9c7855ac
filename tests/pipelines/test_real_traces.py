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


# What the package itself does not emit, seen in its file: cached tokens.
WITHOUT_CACHED = {
    "openinference-openai-agents_1.4.0.json",
    "openllmetry-openai_0.33.12.json",
    "otel-openai-agents-v2_0.1.0.json",
    "pydantic-ai_1.0.5_v1.json",
    "pydantic-ai_1.0.5_v2.json",
}


BY_FILE = """
SELECT source_file, sum(input_tokens) AS input, sum(output_tokens) AS output, sum(cached_input_tokens) AS cached
FROM spans GROUP BY source_file ORDER BY source_file
"""


def test_every_instrumentations_tokens_are_counted_once(
    shared_data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = sorted(path for path in (shared_data / "otlp" / "live").glob("*.json") if path.name != "expected.json")
    assert len(files) == 12
    # One file repeats another's spans twice over: it goes to a home of its own.
    repeated = [path for path in files if "duplicate" in path.name]
    for home, part in ((tmp_path / "a", [path for path in files if path not in repeated]), (tmp_path / "b", repeated)):
        arguments = [word for path in part for word in ("--files", str(path))]
        for _ in range(2):  # the second time changes nothing
            plumbline(home, "stream", "--source", "files", *arguments, "--until-end")
        found = rows(home, BY_FILE, capfd)
        assert [row["source_file"] for row in found] == [path.name for path in part]
        for row in found:
            cached = None if row["source_file"] in WITHOUT_CACHED else 2688
            assert (row["source_file"], row["input"], row["output"], row["cached"]) == (
                row["source_file"],
                2872,
                30,
                cached,
            )

"""Cost of an outcome by any tag: the marts' own figures, for a tag that no mart knows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from pipelines.economics.tags import COLUMNS, cost_per_outcome, tag_runs
from tests.pipelines.otlp import START_NS, as_json, request, span
from tests.pipelines.test_late_outcomes import stream, written
from tests.pipelines.test_real_traces import plumbline
from warehouse import read_only

DAY_NS = 86_400 * 10**9
#: Team, tenant, model, outcome, days after the first.
RUNS: list[tuple[str, str | None, str, str | None, int]] = [
    ("east", "east", "gpt-4.1", "success", 0),
    ("east", "east", "gpt-4.1", "failure", 0),
    ("east", "east", "gpt-4.1-mini", "success", 1),
    ("east", "east", "house-model", "success", 1),
    ("west", "west", "gpt-4.1", "success", 2),
    ("west", "west", "gpt-4.1-mini", None, 2),
    ("west", "west", "gpt-4.1", "escalated", 9),
    ("west", "west", "gpt-4.1", None, 40),  # still open: its window is not over
]


def run(number: int, team: str, tenant: str | None, model: str, outcome: str | None, day: int) -> bytes:
    trace, start = f"{number + 1:032x}", START_NS + day * DAY_NS
    root: dict[str, Any] = {"gen_ai.operation.name": "invoke_agent", "gen_ai.workflow.name": "desk"}
    root |= {"gen_ai.agent.name": f"agent-{number % 2}", "plumbline.team": team}
    if tenant is not None:
        root["customer.tenant"] = tenant
    if outcome is not None:
        root["plumbline.outcome.status"] = outcome
    call = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": 1000 + 7 * number, "gen_ai.usage.output_tokens": 100,
    }  # fmt: skip
    times: dict[str, Any] = {"start_ns": start, "end_ns": start + 10**9}
    return as_json(
        request(
            span(root, trace_id=trace, span_id="1" * 16, parent="", **times),
            span(call, trace_id=trace, span_id="2" * 16, parent="1" * 16, **times),
        )
    )


def refreshed(folder: Path, rows: Sequence[tuple[str, str | None, str, str | None, int]]) -> Path:
    home = folder / "home"
    stream(home, [written(folder / "traces.jsonl", *(run(number, *row) for number, row in enumerate(rows)))], [])
    plumbline(home, "refresh")
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return refreshed(tmp_path_factory.mktemp("tags"), RUNS)


@pytest.mark.parametrize("by", ["customer.tenant", "plumbline.team", "team"])
def test_a_tag_that_says_what_a_column_says_has_the_marts_very_figures(home: Path, by: str) -> None:
    with read_only(home / "warehouse") as lake:
        mart = lake.query("SELECT * FROM cost_per_outcome WHERE \"by\" = 'team'")
        tag_runs(lake, by, None, None)
        found = cost_per_outcome(lake)
        # The shadows are gone: the mart is the mart again.
        assert lake.query("SELECT count(*) FROM cost_per_outcome WHERE \"by\" = 'team'").item() == len(mart)
        assert lake.query("SELECT count(DISTINCT agent) FROM runs").item() == 2
    assert set(mart["period"]) == {"day", "week", "month"}
    assert mart["pending_runs"].sum() > 0 and mart["ci_high_usd"].count() > 0
    assert (mart["price_coverage_ratio"] < 1).any()
    assert found.drop("by").equals(mart.drop("by"))


def test_a_period_bounds_the_runs(home: Path) -> None:
    first = datetime.fromtimestamp(START_NS / 1e9, UTC).replace(tzinfo=None)
    with read_only(home / "warehouse") as lake:
        tag_runs(lake, "customer.tenant", first, first + timedelta(days=2))
        starts = lake.query("SELECT started_at FROM tagged_runs")["started_at"]
    assert len(starts) == 4, "of days 0 and 1: the bound itself is not in it"
    assert starts.min() == first


@pytest.mark.slow
def test_the_command_shows_runs_without_the_tag_too_and_runs_no_text(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [("east", tenant, "gpt-4.1", "success", 0) for tenant in ("acme", '=cmd|"x"', None)]
    home = refreshed(tmp_path, rows)
    capfd.readouterr()
    plumbline(home, "cost", "--by", "customer.tenant", "--format", "json")
    found = {row["name"]: row for row in json.loads(capfd.readouterr().out)}
    assert set(found) == {"acme", '=cmd|"x"', None}
    assert {row["by"] for row in found.values()} == {"customer.tenant"}
    assert found["acme"]["cost_per_success_usd"] == pytest.approx((1000 * 2 + 100 * 8) / 1e6)
    plumbline(home, "cost", "--by", "customer.tenant", "--grain", "day", "--workflow", "desk", "--format", "csv")
    assert "'=cmd" in capfd.readouterr().out
    plumbline(home, "cost", "--by", "customer.tenant", "--grain", "week")
    assert "(none)" in capfd.readouterr().out
    for bad in (
        ("--by", 'x" or "1'),
        ("--grain", "year"),
        ("--workflow", "nope"),
        ("--period", "2019-01"),
        ("--format", "xml"),
    ):
        assert main(["--home", str(home), "cost", *bad]) == 1
        assert capfd.readouterr().err.count("\n") == 1


def test_an_attribute_of_the_resource_is_a_tag_where_the_span_has_none(tmp_path: Path) -> None:
    spans = json.loads(run(0, "east", None, "gpt-4.1", "success", 0))
    spans["resourceSpans"][0].setdefault("resource", {}).setdefault("attributes", []).append(
        {"key": "k8s.namespace.name", "value": {"stringValue": "billing"}}
    )
    stream(tmp_path / "home", [written(tmp_path / "traces.jsonl", json.dumps(spans).encode())], [])
    plumbline(tmp_path / "home", "refresh")
    with read_only(tmp_path / "home" / "warehouse") as lake:
        tag_runs(lake, "k8s.namespace.name", None, None)
        assert lake.query("SELECT tag FROM tagged_runs")["tag"].to_list() == ["billing"]


def test_the_tags_of_the_command_are_columns_of_the_runs(home: Path) -> None:
    with read_only(home / "warehouse") as lake:
        assert set(COLUMNS) <= set(lake.query("SELECT * FROM runs LIMIT 0").columns)
        for column in COLUMNS:
            if lake.query(f"SELECT count({column}) FROM runs").item():
                tag_runs(lake, column, None, None)
                same = lake.query(
                    f"SELECT bool_and(tag IS NOT DISTINCT FROM {column} OR {column} IS NULL) FROM tagged_runs"
                )
                assert same.item(), column

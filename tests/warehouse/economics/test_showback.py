"""Showback: all that was spent is somebody's or stands as unallocated, to the last cent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cli import main
from tests.pipelines.otlp import START_NS, as_json, request, span
from tests.pipelines.test_late_outcomes import stream, written
from tests.pipelines.test_real_traces import plumbline
from warehouse.economics.showback import RULES, showback

SCHEMA: dict[str, Any] = {
    "workflow": pl.String, "tag": pl.String, "runs": pl.Int64, "priced_runs": pl.Int64, "cost_usd": pl.Float64,
}  # fmt: skip
# Whole billionths of a dollar: no price gives less, and a sum of subnormal numbers has no reciprocal to share it by.
cost = st.integers(0, 10**15).map(lambda billionths: billionths / 1e9)
rows = st.tuples(st.sampled_from("abc"), st.none() | st.sampled_from("xyz"), st.integers(1, 1000), st.none() | cost)


@given(
    st.lists(rows, min_size=1, max_size=12, unique_by=lambda row: row[:2]),
    st.sets(st.sampled_from("abc")),
    st.sampled_from(list(RULES)),
)
def test_the_parts_sum_to_all_that_was_spent(spent: list[tuple[Any, ...]], shared: set[str], rule: str) -> None:
    frame = pl.DataFrame(
        [(*row[:3], row[2] if row[3] is not None else 0, row[3]) for row in spent], schema=SCHEMA, orient="row"
    )
    found = showback(frame, shared, rule)
    assert found["total_usd"].sum() == pytest.approx(frame["cost_usd"].sum(), rel=1e-9, abs=1e-9)
    assert found["tag"].n_unique() == found.height
    assert found["runs"].sum() == sum(row[2] for row in spent if row[0] not in shared)
    if frame["cost_usd"].sum() > 0:
        assert found["share"].sum() == pytest.approx(1)


def test_shared_cost_goes_by_the_rule_and_not_to_the_unallocated() -> None:
    spent = [("a", "x", 10, 10, 30.0), ("b", "y", 30, 15, 10.0), ("c", None, 5, 5, 2.0), ("platform", "x", 7, 7, 8.0)]
    frame = pl.DataFrame(spent, schema=SCHEMA, orient="row")
    for rule, parts in {"spend": (6, 2), "runs": (2, 6), "even": (4, 4)}.items():
        found = showback(frame, ["platform"], rule)
        by = {row["tag"]: row for row in found.iter_rows(named=True)}
        assert (by["x"]["shared_usd"], by["y"]["shared_usd"], by[None]["shared_usd"]) == (*map(pytest.approx, parts), 0)
        assert by["x"]["own_usd"] == 30 and by[None]["total_usd"] == 2 and by["y"]["coverage_ratio"] == 0.5
        assert found["tag"].to_list()[-1] is None


def test_unknown_is_not_nothing() -> None:
    frame = pl.DataFrame([("a", "x", 10, 0, None), ("b", "y", 1, 1, 1.0)], schema=SCHEMA, orient="row")
    by = {row["tag"]: row for row in showback(frame).iter_rows(named=True)}
    assert by["x"]["total_usd"] is None and by["x"]["coverage_ratio"] == 0 and by["y"]["share"] == 1


def test_any_attribute_of_the_root_is_a_tag(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def run(number: int, tenant: str | None) -> bytes:
        trace = f"{number + 1:032x}"
        root = {"gen_ai.operation.name": "invoke_agent", "gen_ai.workflow.name": "desk", "gen_ai.agent.name": "a"}
        if tenant is not None:
            root["customer.tenant"] = tenant
        call = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4.1",
                "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 100}  # fmt: skip
        times: dict[str, Any] = {"start_ns": START_NS, "end_ns": START_NS + 10**9}
        return as_json(request(
            span(root, trace_id=trace, span_id="1" * 16, parent="", **times),
            span(call, trace_id=trace, span_id="2" * 16, parent="1" * 16, **times),
        ))  # fmt: skip

    home = tmp_path / "home"
    runs = [run(number, tenant) for number, tenant in enumerate(["acme", "acme", '=cmd|"x"', None])]
    stream(home, [written(tmp_path / "traces.jsonl", *runs)], [])
    plumbline(home, "refresh")
    capfd.readouterr()
    plumbline(home, "showback", "--by", "customer.tenant", "--format", "json")
    found = {row["tag"]: row for row in json.loads(capfd.readouterr().out)}
    assert {tag: row["runs"] for tag, row in found.items()} == {"acme": 2, '=cmd|"x"': 1, None: 1}
    assert found["acme"]["total_usd"] == pytest.approx(2 * (1000 * 2 + 100 * 8) / 1e6)
    plumbline(home, "showback", "--by", "customer.tenant", "--format", "csv")
    assert "'=cmd" in capfd.readouterr().out
    for bad in (("--by", 'x" or "1'), ("--shared", "nope"), ("--split", "fair"), ("--period", "2019-01")):
        assert main(["--home", str(home), "showback", *bad]) == 1
        assert capfd.readouterr().err.count("\n") == 1

"""Open runs and observations: the same log gives the same observations whatever the batches and partitions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.alerts.wording import METRICS
from pipelines.contracts.drift_section import StreamsEntry
from pipelines.runs import OpenRuns
from pipelines.simulate import simulate
from pipelines.sources.files import records
from pipelines.stages.decode import decode
from pipelines.stages.normalise import normalise
from pipelines.stages.price import price
from pipelines.stages.rules import Declared
from tests.pipelines.otlp import NOW, START_NS, as_protobuf, messages, request, span

POLICIES = pl.DataFrame(schema={"policy": pl.String, "version": pl.String, "effective_at": pl.Datetime("us")})
SECOND = 1_000_000_000


def canonical(batch: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    made = normalise(decode(batch), batch, now=NOW, max_attribute_bytes=1000)
    return price(made.spans)[0].unique(["trace_id", "span_id"], keep="first", maintain_order=True), made.facts


def fresh() -> OpenRuns:
    return OpenRuns(lateness=timedelta(seconds=1), timeout=timedelta(hours=1))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    out = tmp_path_factory.mktemp("traffic")
    simulate(out, seed=3, days=0.25, workflows=3, rate=20)
    (path,) = sorted(Path(out).glob("*.binpb"))
    return [value for _, _, value in records(path)]


def observed(values: list[bytes], cuts: list[int], partitions: int, declared: Declared | None = None) -> pl.DataFrame:
    runs = fresh()
    parts: list[pl.DataFrame] = []
    everything = messages(*values).with_columns(partition=(pl.col("offset") % partitions).cast(pl.Int32))
    edges = [0, *sorted(cuts), len(values)]
    for low, high in itertools.pairwise(edges):
        if high > low:
            runs.add(*canonical(everything[low:high]))
            parts.append(runs.release({("otlp_spans", number) for number in range(partitions)}, POLICIES, declared))
    parts.append(runs.release(set(), POLICIES, declared))
    return pl.concat(parts)


@settings(max_examples=10)
@given(data=st.data())
def test_observations_do_not_depend_on_batches_or_partitions(day: list[bytes], data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(day)), max_size=12))
    partitions = data.draw(st.integers(1, 4))
    whole = observed(day, [], 1)
    assert len(whole) > 1000 and not whole["late"].any()
    assert_frame_equal(observed(day, cuts, partitions), whole)


def test_a_run_waits_for_the_watermark_and_a_partition_of_which_nothing_came_holds_it() -> None:
    runs = fresh()
    runs.add(*canonical(messages(as_protobuf(request(span(CHAT, parent=""))))))
    assert runs.release({("otlp_spans", 0)}, POLICIES).is_empty()
    later = span(CHAT, trace_id="d" * 32, parent="", start_ns=START_NS + 60 * SECOND, end_ns=START_NS + 61 * SECOND)
    runs.add(*canonical(messages(as_protobuf(request(later)))))
    assert runs.release({("otlp_spans", 0), ("otlp_spans", 1)}, POLICIES).is_empty()
    assert runs.release({("otlp_spans", 0)}, POLICIES)["run_id"].unique().to_list() == ["a" * 32]


def test_a_run_without_a_root_closes_by_timeout_and_late_spans_are_counted() -> None:
    runs = fresh()
    runs.add(*canonical(messages(as_protobuf(request(span(CHAT))))))
    much_later = START_NS + 2 * 3600 * SECOND
    other = span(CHAT, trace_id="d" * 32, parent="", start_ns=much_later, end_ns=much_later + SECOND)
    runs.add(*canonical(messages(as_protobuf(request(other)))))
    released = runs.release(set(), POLICIES)
    assert set(released["at"].to_list()) == {_at(START_NS + 2 * SECOND) + timedelta(hours=1)}
    runs.add(*canonical(messages(as_protobuf(request(span(CHAT, span_id="e" * 16))))))
    assert runs.late_spans == 1
    assert "a" * 32 not in runs.release(set(), POLICIES)["run_id"].to_list()


def test_a_span_with_a_broken_clock_moves_no_watermark() -> None:
    runs = fresh()
    future = span(CHAT, trace_id="f" * 32, parent="", start_ns=4_102_444_800 * SECOND, end_ns=4_102_444_801 * SECOND)
    runs.add(*canonical(messages(as_protobuf(request(span(CHAT, parent=""), future)))))
    runs.release(set(), POLICIES)
    assert runs.watermark == _at(START_NS + SECOND)


def test_shadow_runs_are_not_observed() -> None:
    runs = fresh()
    runs.add(*canonical(messages(as_protobuf(request(span({**CHAT, "plumbline.mode": "shadow"}, parent=""))))))
    runs.seen[("otlp_spans", 0)] += timedelta(minutes=1)
    assert runs.release(set(), POLICIES).is_empty()


def one_run(*spans: dict[str, Any], policies: pl.DataFrame = POLICIES) -> dict[tuple[str, str], tuple[Any, Any]]:
    runs = fresh()
    runs.add(*canonical(messages(as_protobuf(request(*spans)))))
    runs.seen[("otlp_spans", 0)] += timedelta(minutes=1)
    rows = runs.release(set(), policies).select("metric", "dimension", "value", "category").rows()
    return {(metric, dimension): (value, category) for metric, dimension, value, category in rows}


CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4.1",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 100,
    "gen_ai.usage.cache_read.input_tokens": 250,
}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"}


def test_a_runs_observations_are_its_own_numbers() -> None:
    root = span(
        {"gen_ai.operation.name": "invoke_agent", "plumbline.policy.version": "1"},
        parent="",
        end_ns=START_NS + 9 * SECOND,
        events=[
            ("plumbline.outcome", {"plumbline.outcome.status": "escalated"}),
            (
                "plumbline.policy.decision",
                {
                    "plumbline.policy.decision.policy": "p",
                    "plumbline.policy.decision.version": "1",
                    "plumbline.policy.decision.action": "deny",
                },
            ),
            ("plumbline.approval", {"plumbline.approval.status": "bypassed"}),
        ],
    )
    policies = pl.DataFrame(
        {"policy": ["p", "p"], "version": ["1", "2"], "effective_at": [datetime(2020, 1, 1), datetime(2026, 1, 1)]},
        schema=POLICIES.schema,
    )
    seen = one_run(
        root,
        span(CHAT, span_id="1" * 16),
        span({**CHAT, "gen_ai.usage.input_tokens": 3000}, span_id="2" * 16, start_ns=START_NS + 1),
        span(TOOL, span_id="3" * 16, start_ns=START_NS + 2, status=2),
        policies=policies,
    )
    assert seen[("input_tokens_per_call", "")][0] == 2000
    assert seen[("steps_per_run", "")][0] == 3
    assert seen[("cached_ratio", "")][0] == pytest.approx(500 / 4000)
    assert seen[("cost_usd_per_run", "")][0] == pytest.approx((3500 * 2 + 500 * 0.5 + 200 * 8) / 1e6)
    assert seen[("tool_error", "lookup")][0] == 1
    assert seen[("escalated", "")][0] == 1 and seen[("success", "")][0] == 0
    assert seen[("denied", "")][0] == 1 and seen[("approval_skipped", "")][0] == 1
    assert seen[("outdated_policy", "")][0] == 1
    assert seen[("duration_ms", "")][0] == 9000


def test_a_run_with_an_unpriced_call_has_no_cost_observation() -> None:
    seen = one_run(
        span(CHAT, parent="", span_id="1" * 16), span({**CHAT, "gen_ai.request.model": "house"}, span_id="2" * 16)
    )
    assert ("cost_usd_per_run", "") not in seen
    assert ("tokens_per_call", "") in seen


ROOT = {"gen_ai.operation.name": "invoke_agent"}


def whole_run(
    *spans: dict[str, Any], events: Sequence[tuple[str, dict[str, Any]]] = (), policies: pl.DataFrame = POLICIES
) -> dict[tuple[str, str], tuple[Any, Any]]:
    return one_run(span(ROOT, parent="", end_ns=START_NS + 99 * SECOND, events=events), *spans, policies=policies)


def call(place: int, seconds: int = 1, **more: Any) -> dict[str, Any]:
    """A call of the tool ``lookup`` that starts ``place`` seconds after the run."""
    start = START_NS + place * SECOND
    return span(
        {**TOOL, **more.pop("told", {})},
        span_id=f"{place:016x}",
        start_ns=start,
        end_ns=start + seconds * SECOND,
        **more,
    )


def test_a_call_after_an_error_of_its_tool_is_a_retry() -> None:
    seen = whole_run(call(1, status=2), call(2, status=2), call(3), call(4))
    assert seen[("retries_per_run", "")][0] == 2
    assert whole_run(call(1), call(2))[("retries_per_run", "")][0] == 0
    other = span({**TOOL, "gen_ai.tool.name": "refund"}, span_id="9" * 16, start_ns=START_NS + 5 * SECOND)
    assert whole_run(call(1, status=2), other)[("retries_per_run", "")][0] == 0
    assert ("retries_per_run", "") not in whole_run(span(CHAT, span_id="1" * 16))


def test_a_call_that_began_before_the_error_was_known_is_no_retry() -> None:
    assert whole_run(call(1, 3, status=2), call(2))[("retries_per_run", "")][0] == 0


def test_tool_calls_are_counted_zero_included_and_latency_is_their_median() -> None:
    seen = whole_run(call(1, 2), call(10, 3), call(20, 10))
    assert seen[("tool_calls_per_run", "")][0] == 3
    assert seen[("tool_latency_ms", "lookup")][0] == 3000
    seen = whole_run(span(CHAT, span_id="1" * 16))
    assert seen[("tool_calls_per_run", "")][0] == 0
    assert not any(metric == "tool_latency_ms" for metric, _ in seen)


@pytest.mark.parametrize(("calls", "looped"), [(2, 0), (3, 1)])
def test_three_calls_alike_are_a_loop(calls: int, looped: int) -> None:
    alike = {"gen_ai.tool.call.arguments": '{"order": "1"}'}
    other = call(20, told={"gen_ai.tool.call.arguments": '{"customer": 1}'})
    spans = [call(place, told=alike) for place in range(1, calls + 1)]
    assert whole_run(*spans, other)[("looped", "")][0] == looped


def test_calls_of_unknown_arguments_tell_no_loop() -> None:
    assert ("looped", "") not in whole_run(call(1), call(2), call(3))


def test_model_calls_tell_context_finish_reason_and_missing_prices() -> None:
    long = {**CHAT, "gen_ai.usage.input_tokens": 3000, "gen_ai.response.finish_reasons": ["length"]}
    calls = [span(CHAT, span_id="1" * 16), span(long, span_id="2" * 16, start_ns=START_NS + 1)]
    seen = whole_run(*calls)
    assert seen[("context_tokens", "")][0] == 3000
    assert seen[("finish_reason", "")][1] == "length"
    assert seen[("unpriced", "")][0] == 0
    house = span({**CHAT, "gen_ai.request.model": "house"}, span_id="4" * 16)
    assert whole_run(*calls, house)[("unpriced", "")][0] == 1
    # A call without usage needs no price: nothing is known to be missing.
    bare = span({key: value for key, value in CHAT.items() if "usage" not in key}, span_id="5" * 16)
    seen = whole_run(bare)
    assert ("unpriced", "") not in seen and ("context_tokens", "") not in seen


def test_money_without_success_is_wasted_where_both_are_known() -> None:
    def ended(status: str, *models: str) -> Any:
        calls = [
            span({**CHAT, "gen_ai.request.model": model}, span_id=f"{place:016x}")
            for place, model in enumerate(models, 1)
        ]
        events = [("plumbline.outcome", {"plumbline.outcome.status": status})] if status else []
        return whole_run(*calls, events=events).get(("wasted", ""), (None, None))[0]

    assert ended("failure", "gpt-4.1") == 1 and ended("escalated", "gpt-4.1") == 1
    assert ended("success", "gpt-4.1") == 0
    # What is priced of it cost money already; with nothing priced, or no outcome, nobody knows.
    assert ended("failure", "gpt-4.1", "house") == 1
    assert ended("failure", "house") is None and ended("failure") is None and ended("", "gpt-4.1") is None


def test_every_run_tells_whether_a_person_changed_a_decision() -> None:
    chat = span(CHAT, span_id="1" * 16)
    changed = whole_run(chat, events=[("plumbline.override", {"plumbline.override.by": "ann"})])
    assert changed[("overridden", "")][0] == 1
    assert whole_run(chat)[("overridden", "")][0] == 0


def test_a_policy_version_is_unknown_only_where_the_catalog_names_its_policy() -> None:
    policies = pl.DataFrame(
        {"policy": ["p", "p"], "version": ["1", "2"], "effective_at": [datetime(2020, 1, 1), None]},
        schema=POLICIES.schema,
    )

    def decided(*decisions: tuple[str, str | None], catalog: pl.DataFrame = policies) -> Any:
        key = "plumbline.policy.decision"
        events: list[tuple[str, dict[str, Any]]] = [
            (key, {f"{key}.policy": name, f"{key}.action": "allow", **({f"{key}.version": version} if version else {})})
            for name, version in decisions
        ]
        seen = whole_run(span(CHAT, span_id="1" * 16), events=events, policies=catalog)
        return seen.get(("unknown_policy_version", ""), (None, None))[0]

    assert decided(("p", "1"), ("p", "2")) == 0
    assert decided(("p", "1"), ("p", "9")) == 1
    assert decided(("q", "9")) is None and decided(("p", None)) is None
    assert decided(("p", "9"), catalog=POLICIES) is None


def test_every_metric_that_a_run_gives_has_words(day: list[bytes]) -> None:
    given = observed(day, [], 1)
    assert {"arrival", "mix", "rate", "continuous", "rule"} == set(given["kind"])
    assert set(given.filter(pl.col("kind") != "rule")["metric"].unique()) <= set(METRICS)
    once = given.filter(pl.col("kind") != "mix").group_by("run_id", "family", "metric", "dimension").len()
    assert once["len"].max() == 1
    runs = given["run_id"].n_unique()
    assert given.filter(metric="overridden").height == runs and given.filter(metric="tool_calls_per_run").height == runs


def test_a_stream_that_the_catalog_switches_off_is_not_observed_in_that_workflow(day: list[bytes]) -> None:
    every = observed(day, [], 1)
    workflow, other, *_ = every["workflow"].unique(maintain_order=True)
    off = pl.DataFrame({"workflow": [workflow, workflow], "metric": ["path", "loop"]})
    left = observed(day, [], 1, Declared(off=off))
    gone = (pl.col("workflow") == workflow) & (pl.col("metric") == "path")
    assert every.filter(gone).height > 0 and every.filter(workflow=other, metric="path").height > 0
    assert_frame_equal(left, every.filter(~gone))


def test_the_catalog_knows_every_stream_by_its_metric() -> None:
    assert set(StreamsEntry.model_fields) == set(METRICS)


def _at(nanoseconds: int) -> datetime:
    return datetime(1970, 1, 1) + timedelta(microseconds=nanoseconds // 1000)


def test_partitions_far_beyond_the_slowest_are_ahead() -> None:
    runs = fresh()
    slow, near, far, other = (("otlp_spans", number) for number in range(4))
    start = datetime(2026, 3, 1)
    runs.seen = {
        slow: start,
        near: start + timedelta(minutes=10),
        far: start + timedelta(minutes=10, microseconds=1),
        other: start - timedelta(hours=1),
    }
    # One that nobody waits for (at its end) does not hold the others.
    assert runs.ahead({slow, near, far}, timedelta(minutes=10)) == {far}
    # Of one nothing has come yet: it may hold anything.
    assert runs.ahead({slow, near, ("otlp_spans", 9)}, timedelta(minutes=10)) == {slow, near}
    assert runs.ahead(set(), timedelta(minutes=10)) == set()

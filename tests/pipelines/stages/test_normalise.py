"""Normalise: canonical columns from any dialect, and a flag rather than a loss for what is odd."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stages.mask import MASK
from tests.pipelines.otlp import START_NS, as_json, as_protobuf, normalised, one_span, request, span

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4.1"}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({**CHAT, "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}, (10, 2)),
        ({**CHAT, "gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.completion_tokens": 2}, (10, 2)),
        (
            {"llm.request.type": "chat", "gen_ai.usage.prompt_tokens": "10", "gen_ai.usage.completion_tokens": 2},
            (10, 2),
        ),
        (
            {"openinference.span.kind": "LLM", "llm.token_count.prompt": 10, "llm.token_count.completion": 2},
            (10, 2),
        ),
    ],
)
def test_tokens_are_read_from_every_spelling(attributes: dict[str, Any], expected: tuple[int, int]) -> None:
    row = one_span(attributes)
    assert (row["kind"], row["input_tokens"], row["output_tokens"]) == ("model", *expected)


def test_the_current_spelling_wins_over_the_old_one() -> None:
    assert one_span({**CHAT, "gen_ai.usage.prompt_tokens": 1, "gen_ai.usage.input_tokens": 9})["input_tokens"] == 9


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 50},
        {"agent_name": "desk", "model_name": "gpt-4.1", "gen_ai.usage.input_tokens": 50},
        {"openinference.span.kind": "AGENT", "llm.token_count.prompt": 50},
    ],
)
def test_an_agent_span_that_repeats_its_childrens_usage_is_not_counted(attributes: dict[str, Any]) -> None:
    row = one_span(attributes)
    assert (row["kind"], row["input_tokens"], row.get("cost_usd")) == ("agent", None, None)


def test_cached_tokens_are_a_part_of_input_and_never_added_twice() -> None:
    row = one_span({**CHAT, "gen_ai.usage.input_tokens": 100, "gen_ai.usage.cache_read.input_tokens": 80})
    assert (row["input_tokens"], row["cached_input_tokens"], row["quality_flags"]) == (100, 80, [])


def test_cached_tokens_reported_beside_the_input_are_made_a_part_of_it_and_flagged() -> None:
    row = one_span({**CHAT, "gen_ai.usage.input_tokens": 20, "gen_ai.usage.cache_read.input_tokens": 80})
    assert (row["input_tokens"], row["cached_input_tokens"]) == (100, 80)
    assert row["quality_flags"] == ["cached_beside_input"]


@pytest.mark.parametrize("value", [-5, float("nan"), float("inf"), 1e18])
def test_impossible_token_counts_become_null_and_flagged(value: float) -> None:
    row = one_span({**CHAT, "gen_ai.usage.input_tokens": value, "gen_ai.usage.output_tokens": 3})
    assert (row["input_tokens"], row["output_tokens"]) == (None, 3)
    assert row["quality_flags"] == ["invalid_tokens"]


@pytest.mark.parametrize("start", [1_000, 4_102_444_800_000_000_000, 18_000_000_000_000_000_000])
def test_times_of_broken_clocks_are_kept_and_flagged(start: int) -> None:
    row = one_span(CHAT, start_ns=start, end_ns=start + 1_000_000)
    assert "time_out_of_range" in row["quality_flags"]
    assert isinstance(row["started_at"], datetime)


def test_a_span_without_end_or_with_end_before_start_has_no_duration() -> None:
    assert one_span(CHAT, end_ns=0)["duration_ms"] is None
    backwards = one_span(CHAT, end_ns=START_NS - 1_000_000)
    assert (backwards["duration_ms"], backwards["quality_flags"]) == (None, ["negative_duration"])


@pytest.mark.parametrize(
    ("trace_id", "stored", "flagged"),
    [("ab" * 16, "ab" * 16, False), ("ab" * 8, "0" * 16 + "ab" * 8, True), ("ab" * 20, "ab" * 20, True)],
)
def test_ids_of_wrong_length_are_padded_or_kept_and_flagged(trace_id: str, stored: str, flagged: bool) -> None:
    row = one_span(CHAT, trace_id=trace_id)
    assert row["trace_id"] == stored
    assert ("invalid_trace_id" in row["quality_flags"]) is flagged


def test_spans_without_ids_do_not_collide_and_replay_to_the_same_ids() -> None:
    document = request(
        span({"n": 1}, trace_id="", span_id="", name="a"), span({"n": 2}, trace_id="", span_id="", name="b")
    )
    first, second = (normalised(as_json(document)).spans for _ in range(2))
    assert first["span_id"].n_unique() == 2
    assert first.select("trace_id", "span_id").rows() == second.select("trace_id", "span_id").rows()
    assert first["trace_id"].str.len_bytes().to_list() == [32, 32]


def test_a_five_megabyte_attribute_is_cut_and_flagged_and_the_rest_is_kept() -> None:
    row = one_span({**CHAT, "blob": "x" * 5_000_000, "other": "kept", "gen_ai.usage.input_tokens": 4})
    stored = json.loads(row["attributes"])
    assert (len(stored["blob"]) < 2000, stored["other"], row["input_tokens"]) == (True, "kept", 4)
    assert row["quality_flags"] == ["attribute_cut"]


@pytest.mark.parametrize(
    ("resource", "attributes", "workflow", "rank"),
    [
        ({"service.name": "s"}, {"gen_ai.workflow.name": "w", "gen_ai.agent.name": "a"}, "w", 1),
        ({"service.name": "s"}, {"traceloop.workflow.name": "w"}, "w", 1),
        ({"service.name": "s"}, {"gen_ai.agent.name": "a"}, "a", 2),
        ({"service.name": "s"}, {}, "s", 3),
        ({}, {}, "unknown", 4),
    ],
)
def test_workflow_names_fall_back_along_the_documented_chain(
    resource: dict[str, str], attributes: dict[str, str], workflow: str, rank: int
) -> None:
    row = normalised(as_protobuf(request(span(attributes), resource=resource))).spans.row(0, named=True)
    assert (row["workflow"], row["workflow_rank"]) == (workflow, rank)


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop1234567890",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "Bearer abcdefghijklmnop.qrstuvwxyz",
        "someone@example.com",
        "4111 1111 1111 1111",
    ],
)
def test_secrets_are_masked_before_anything_is_stored(secret: str) -> None:
    row = one_span(
        {"note": f"use {secret} now", "list": [secret, "ok"], "gen_ai.prompt": secret}, name=f"call {secret}"
    )
    assert secret not in row["attributes"] and secret not in row["name"]
    assert "[masked]" in row["attributes"]


def test_argument_shape_ignores_values_and_key_order_but_not_keys_and_types() -> None:
    def shape(arguments: str) -> str:
        return one_span({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": arguments})[
            "tool_arguments_shape"
        ]

    base = shape('{"order_id": "A-1", "amount": 12.5}')
    assert shape('{"amount": 3, "order_id": "B: {77}, \\"x\\""}') == base
    assert shape('{"order_id": 7, "amount": 3}') != base
    assert shape('{"order_id": "A-1"}') != base


def test_facts_are_read_from_events_and_from_span_attributes() -> None:
    facts = normalised(
        as_protobuf(
            request(
                span(
                    {"plumbline.outcome.status": "success"},
                    parent="",
                    events=[
                        (
                            "plumbline.policy.decision",
                            {"plumbline.policy.decision.policy": "p", "plumbline.policy.decision.action": "DENY"},
                        ),
                        ("plumbline.approval", {"plumbline.approval.status": "bypassed"}),
                        ("plumbline.override", {"plumbline.override.by": "desk"}),
                    ],
                ),
                span(
                    {},
                    span_id="d" * 16,
                    parent="",
                    events=[
                        (
                            "gen_ai.evaluation.result",
                            {"gen_ai.evaluation.name": "q", "gen_ai.evaluation.score.value": 0.2},
                        )
                    ],
                ),
            )
        )
    ).facts
    assert facts["policy_decisions"].select("policy", "action").rows() == [("p", "deny")]
    assert facts["approvals"]["status"].to_list() == ["bypassed"]
    assert facts["overrides"]["decided_by"].to_list() == ["desk"]
    assert sorted(facts["outcomes"].select("source", "status").rows()) == [
        ("evaluation", "failure"),
        ("span", "success"),
    ]


@given(
    st.dictionaries(
        st.text(max_size=20),
        st.one_of(
            st.text(max_size=40),
            st.integers(-(2**62), 2**62),
            st.floats(),
            st.booleans(),
            st.lists(st.text(max_size=9)),
        ),
        max_size=6,
    )
)
def test_leftover_attributes_are_always_one_json_object(attributes: dict[str, Any]) -> None:
    encodable = {key: value for key, value in attributes.items() if _utf8(key) and _utf8(str(value))}
    stored = json.loads(one_span(encodable)["attributes"])
    assert isinstance(stored, dict)
    for key, value in encodable.items():
        if isinstance(value, int) and key in stored:
            # A number of 13 digits or more may be a card's.
            assert stored[key] == value or (stored[key] == MASK and abs(value) >= 10**12)


def _utf8(text: str) -> bool:
    return not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


def test_hostile_keys_are_only_keys() -> None:
    stored = json.loads(one_span({"__proto__": "x", "constructor": "y", "'; DROP TABLE spans; --": "z"})["attributes"])
    assert stored == {
        "__proto__": "x",
        "constructor": "y",
        "'; DROP TABLE spans; --": "z",
        **({"resource": stored["resource"]} if "resource" in stored else {}),
    }

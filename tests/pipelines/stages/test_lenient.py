"""OTLP/JSON that is not quite OTLP is read all the same, flagged, with nothing of it lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stages.decode import decode
from tests.pipelines.otlp import START_NS, as_json, as_protobuf, messages, normalised, request, span

GOOD = as_json(request(span({"k": "v"}, span_id="d" * 16)))


def broken(**changes: Any) -> bytes:
    return as_json(request({**span({"gen_ai.operation.name": "chat"}), **changes}))


def one(payload: bytes) -> dict[str, Any]:
    return normalised(payload).spans.row(0, named=True)


@pytest.mark.parametrize(
    ("changes", "key", "value"),
    [
        ({"attributes": {"capability.id": "retrieval", "n": 3}}, "capability.id", "retrieval"),
        ({"attributes": "__attributes__"}, "otlp.unreadable.attributes", "__attributes__"),
        ({"attributes": [{"key": "k", "value": "plain"}]}, "k", "plain"),
        ({"attributes": [{"key": "k", "value": {"stringValue": "v"}}, "stray"]}, "k", "v"),
        ({"status": "OK"}, "otlp.unreadable.status", "OK"),
        ({"events": "none", "status": "x"}, "otlp.unreadable.events", "none"),
    ],
)
def test_a_value_of_the_wrong_type_is_coerced_or_kept_as_text(changes: dict[str, Any], key: str, value: str) -> None:
    row = one(broken(**changes))
    assert json.loads(row["attributes"])[key] == value
    assert "lenient_json" in row["quality_flags"]


def test_the_neighbours_of_a_mended_message_are_not_flagged() -> None:
    batch = [GOOD, broken(attributes="x"), GOOD]
    decoded = decode(messages(*batch))
    assert (decoded.mended, len(decoded.dead), len(decoded.spans)) == ([1], 0, 3)
    flagged = normalised(*batch).spans["quality_flags"].list.contains("lenient_json")
    assert flagged.to_list() == [False, True, False]


def test_buffers_become_ids_and_halves_of_a_long_become_one_number() -> None:
    attributes = [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": {"low": -1, "high": 1, "unsigned": False}}},
        "broken",
    ]
    row = one(
        broken(
            traceId={"type": "Buffer", "data": [171] * 16},
            spanId={"data": [171] * 8},
            startTimeUnixNano=START_NS,
            attributes=attributes,
        )
    )
    assert (row["trace_id"], row["span_id"], row["input_tokens"]) == ("ab" * 16, "ab" * 8, 2**33 - 1)


@pytest.mark.parametrize("empty", [b'{"resourceSpans": []}', as_protobuf(request())])
def test_a_request_without_a_span_is_counted_and_no_dead_letter(empty: bytes) -> None:
    decoded = decode(messages(empty, GOOD))
    assert (decoded.empty, len(decoded.dead), len(decoded.spans)) == (1, 0, 1)


@pytest.mark.parametrize("other", [b'{"level": "info"}', b"\x08\x01", b'{"resourceSpans": {"a": 1}}'])
def test_what_is_no_request_stays_a_dead_letter(other: bytes) -> None:
    decoded = decode(messages(other))
    assert (decoded.empty, len(decoded.dead)) == (0, 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "traceId",
    "spanId",
    "parentSpanId",
    "name",
    "startTimeUnixNano",
    "endTimeUnixNano",
    "attributes",
    "events",
    "status",
]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
def test_whatever_stands_where_a_value_should_the_span_is_read(changes: dict[str, Any]) -> None:
    payload = broken(**changes)
    decoded = decode(messages(payload, GOOD))
    assert (len(decoded.dead), len(decoded.spans)) == (0, 2)
    stored = normalised(payload, GOOD).spans
    assert stored.height == 2
    assert all(isinstance(json.loads(text), dict) for text in stored["attributes"])

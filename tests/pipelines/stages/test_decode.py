"""Decode: both encodings to the same tables; one broken message never costs another."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.stages.decode import decode
from tests.pipelines.otlp import as_json, as_protobuf, messages, request, span

GOOD = request(
    span(
        {"gen_ai.operation.name": "chat", "n": 3, "zero": 0, "x": 0.5, "yes": True, "empty": "", "list": ["a", 1, 2.5]},
        events=[("gen_ai.evaluation.result", {"gen_ai.evaluation.score.label": "pass"})],
        status=2,
    ),
    span({"k": "v"}, span_id="d" * 16),
)


@pytest.mark.parametrize("table", ["spans", "attributes", "resource_attributes", "events", "event_attributes"])
def test_protobuf_and_json_decode_to_the_same_tables(table: str) -> None:
    left, right = (getattr(decode(messages(encode(GOOD))), table) for encode in (as_protobuf, as_json))
    assert len(left) > 0
    ignored = [
        name for name in ("scope", "status_message") if name in left.columns
    ]  # absent and empty are one in proto3
    assert_frame_equal(left.drop(ignored), right.drop(ignored))


def test_a_json_document_over_several_lines_is_one_message() -> None:
    pretty = json.dumps(GOOD, indent=1).encode()
    assert len(decode(messages(pretty)).spans) == 2


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"", "empty_message"),
        (b"  \n", "empty_message"),
        (as_protobuf(GOOD)[:-7], "invalid_protobuf"),
        (b"not otlp at all", "invalid_protobuf"),
        (as_json(GOOD)[:80], "invalid_json"),
        (b'{"resourceSpans": 7}', "invalid_json"),
        (b'{"level": "info", "message": "hello"}', "no_spans"),
        (b"[1, 2]", "invalid_protobuf"),
    ],
)
def test_a_broken_message_is_a_dead_letter_and_its_neighbours_are_read(broken: bytes, reason: str) -> None:
    decoded = decode(messages(as_protobuf(GOOD), as_json(GOOD), broken, as_json(GOOD), as_protobuf(GOOD)))
    assert decoded.dead.select("message", "reason").rows() == [(2, reason)]
    assert sorted(decoded.spans["message"].unique()) == [0, 1, 3, 4]
    assert len(decoded.spans) == 8


def test_values_deeper_than_arrow_holds_become_json_text() -> None:
    deep = request(span({"outer": {"inner": {"answer": 42}, "list": ["x"]}}))
    decoded = decode(messages(as_json(deep)))
    (text,) = decoded.attributes["nested"].drop_nulls()
    assert json.loads(text) == {"inner": {"answer": 42}, "list": ["x"]}


@given(st.lists(st.one_of(st.binary(max_size=60), st.just(as_json(GOOD)), st.just(as_protobuf(GOOD))), max_size=12))
def test_no_bytes_stop_the_batch_and_every_message_is_accounted_for(values: list[bytes]) -> None:
    decoded = decode(messages(*values))
    read = set(decoded.spans["message"].to_list())
    dead = decoded.dead["message"].to_list()
    assert read.isdisjoint(dead)
    assert sorted(read | set(dead)) == list(range(len(values)))
    assert len(decoded.spans) >= 2 * sum(value in (as_json(GOOD), as_protobuf(GOOD)) for value in values)


@given(st.permutations(range(6)), st.integers(1, 5))
def test_spans_do_not_depend_on_how_messages_are_batched(order: list[int], cut: int) -> None:
    values = [
        (as_json if number % 2 else as_protobuf)(request(span({"n": number}, span_id=f"{number:016x}")))
        for number in order
    ]
    whole = decode(messages(*values)).spans
    parts = [decode(messages(*part)).spans for part in (values[:cut], values[cut:])]
    columns = ["span_id", "name", "started_ns"]
    assert_frame_equal(whole.sort("span_id").select(columns), pl.concat(parts).sort("span_id").select(columns))

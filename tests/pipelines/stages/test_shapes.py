"""What inputs and arguments look like: names, types, scripts and empty fields, and never a word of theirs."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stages.shapes import MOST_INPUT, fields, formats, nulls, shape
from tests.pipelines.otlp import as_json, normalised, request, span

_TEXTS = st.text(max_size=12)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.dictionaries(st.text(min_size=1, max_size=6), inner, max_size=4),
    max_leaves=10,
)


def counted(value: Any) -> tuple[int, int]:
    """Named fields, and how many are null or empty: the oracle."""
    if not isinstance(value, dict):
        return 0, 0
    inside = [counted(inner) for inner in value.values()]
    empty = sum(inner is None or inner in ("", {}) for inner in value.values())
    return len(value) + sum(one for one, _ in inside), empty + sum(none for _, none in inside)


@given(st.dictionaries(st.text(min_size=1, max_size=6), _VALUES, max_size=5), st.booleans())
def test_fields_and_empty_ones_are_counted_whatever_they_hold(arguments: dict[str, Any], escaped: bool) -> None:
    text = json.dumps(arguments, ensure_ascii=escaped)
    assert pl.select(nulls(pl.lit(text))).item() == counted(arguments)[1]
    if not any(sign in text for sign in "<>\\"):  # names of such signs blur a shape
        assert fields(pl.select(shape(pl.lit(text))).to_series())[0] == counted(arguments)[0]


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize(
    ("words", "script"),
    [
        ("Where is my parcel?", "latin"), ("Où est mon colis, s’il vous plaît ?", "latin"), ("Где моя посылка?", "cyrillic"),
        ("我的包裹在哪里?", "han"), ("荷物はどこですか", "kana"), ("내 소포는 어디에", "hangul"),
        ("أين الطرد الخاص بي", "arabic"),
        ("Πού είναι το δέμα μου", "greek"), ("मेरा पार्सल कहाँ है", "devanagari"), ("איפה החבילה שלי", "hebrew"),
        ("พัสดุของฉันอยู่ที่ไหน", "thai"), ("Order №5 for Żółć", "latin"),
    ],
)  # fmt: skip
def test_scripts_are_told_apart_escaped_or_not(words: str, script: str, escaped: bool) -> None:
    messages = json.dumps([{"role": "user", "content": words}], ensure_ascii=escaped)
    assert formats(pl.Series([words, messages])).to_list() == [f"text, {script}", f"messages, {script}"]


def test_an_object_is_known_by_its_fields_and_a_long_one_only_as_such() -> None:
    long = json.dumps({"a": "x" * MOST_INPUT})[:MOST_INPUT]
    first, other, typed, cut, listed, none = formats(
        pl.Series(
            ['{"order": "A-1", "n": 2}', '{"n": 5, "order": "secret"}', '{"order": 1, "n": 2}', long, "[1]", None]
        )
    )
    assert first == other != typed and first.startswith("object ") and len(first) == len("object ") + 8
    assert (cut, listed, none) == ("object, cut", "list, latin", None)


def test_spans_carry_them_whatever_the_dialect() -> None:
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": '{"id": 1, "note": null}'}
    asked = [
        {"gen_ai.operation.name": "chat", "gen_ai.input.messages": '[{"role": "user", "parts": []}]'},
        {"openinference.span.kind": "AGENT", "input.value": "Где моя посылка?"},
        {"langfuse.observation.type": "agent", "langfuse.observation.input": '{"query": "x"}'},
    ]
    sent = [span(each, span_id=f"{number:016x}") for number, each in enumerate([tool, *asked], 1)]
    spans = normalised(as_json(request(*sent))).spans
    called = spans.row(0, named=True)
    assert (called["tool_argument_fields"], called["tool_argument_nulls"], called["input_format"]) == (2, 1, None)
    form = spans["input_format"].to_list()[1:]
    assert form[:2] == ["messages, latin", "text, cyrillic"] and form[2].startswith("object ")
    assert spans["tool_argument_fields"].to_list()[1:] == [None] * 3
    assert "parts" in spans["attributes"][1], "the input itself stays among the attributes"

"""Late outcomes from JSON: every shape of message, and what is wrong told element by element with nothing good lost."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pipelines.sources.base import MESSAGE_SCHEMA
from pipelines.stages.outcomes import stated_outcomes

NOW = datetime(2026, 11, 22)
SENT = datetime(2026, 11, 20, 8)
SCHEMA = json.loads((Path(__file__).parents[3] / "pipelines/contracts/agent_outcome.schema.json").read_text())
TRACE = "0f3c5a1e8d2b4c6f9a7e5b1d2c3e4f50"


def messages(*values: bytes) -> pl.DataFrame:
    rows = [("agent_outcomes", 0, place, place + 1, SENT, None, None, value) for place, value in enumerate(values)]
    return pl.DataFrame(rows, schema=MESSAGE_SCHEMA, orient="row")


def stated(*values: Any, hash_key: str = "") -> tuple[list[dict[str, Any]], list[tuple[int, str]]]:
    raw = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in values]
    rows, dead = stated_outcomes(messages(*raw), now=NOW, hash_key=hash_key)
    assert set(dead["reason"]) <= {"invalid_outcome"}
    return rows.to_dicts(), dead.select("message", "detail").rows()


def won(run: str = TRACE, **more: Any) -> dict[str, Any]:
    return {"run_id": run, "status": "success", "at": "2026-11-19T10:00:00Z", **more}


def test_a_statement_becomes_a_row_with_all_that_it_says() -> None:
    (row,), dead = stated(won(name="refund_settled", value_usd=12.5, source="crm"))
    assert not dead
    assert row.pop("outcome_id")
    assert row == {
        "run_id": TRACE, "trace_id": None, "session_id": None, "workflow": None, "status": "success",
        "name": "refund_settled", "value_usd": 12.5, "score": None, "at": datetime(2026, 11, 19, 10), "source": "topic",
        "stated_by": "crm", "topic": "agent_outcomes", "partition": 0, "offset": 0,
    }  # fmt: skip


SHAPES = {
    "one object": [json.dumps(won("a1"))],
    "an indented object": [json.dumps(won("a1"), indent=2)],
    "an array": [json.dumps([won("a1"), won("a2")])],
    "an indented array": [json.dumps([won("a1"), won("a2")], indent=2)],
    "lines": [json.dumps(won("a1")) + "\n" + json.dumps(won("a2")) + "\n"],
    "lines and a byte order mark": ["\ufeff" + json.dumps(won("a1")) + "\r\n" + json.dumps(won("a2"))],
    "a mix of them": [
        json.dumps(won("a1")),
        json.dumps([won("a2")]),
        json.dumps(won("a3")) + "\n" + json.dumps(won("a4")),
    ],
    "members we do not know": [json.dumps(won("a1", extra={"deep": [1]}))],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_message_is_read(shape: str) -> None:
    rows, dead = stated(*(text.encode() for text in SHAPES[shape]))
    assert not dead
    count = sum(text.count('"run_id"') for text in SHAPES[shape])
    assert [row["run_id"] for row in rows] == [f"a{number}".zfill(32) for number in range(1, count + 1)]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"status": "success"}, "no run_id, trace_id or session_id"),
        ({"run_id": " ", "status": "success"}, "no run_id, trace_id or session_id"),
        ({"run_id": "a"}, "no status: one of success, failure, escalated, abandoned"),
        (won(status="won"), "status is won, none of success, failure, escalated, abandoned"),
        (won(status={"x": 1}), 'status is {"x": 1}, not text'),
        (won(value_usd="much"), 'value_usd is "much", not a number'),
        (won(at="yesterday"), "at is yesterday, not an ISO 8601 time"),
        (won(at="2031-01-01T00:00:00Z"), "at is 2031-01-01T00:00:00Z, before 2015 or more than a day ahead"),
        (5, "not a JSON object but 5"),
        ([], "the array is empty"),
        (b'{"run_id": "a", "status"', "not JSON: Expecting ':' delimiter: line 1 column 25 (char 24)"),
        (b"", "the message has no bytes"),
        (b"\xff\xfe{}", "the text is not UTF-8"),
        (b"hello", "not JSON: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_what_is_wrong_is_told_and_the_messages_beside_it_are_kept(document: Any, why: str) -> None:
    rows, dead = stated(won("a1"), document, [won("a2")], won("a3"))
    assert dead == [(1, why)]
    assert [row["run_id"][-2:] for row in rows] == ["a1", "a2", "a3"]


@pytest.mark.parametrize("as_lines", [True, False])
def test_a_wrong_element_is_named_and_its_neighbours_are_kept(as_lines: bool) -> None:
    elements = [won("a1"), won(status="won"), won("a3"), 7, won("a5", value_usd="5.5")]
    text = "\n".join(map(json.dumps, elements)) if as_lines else json.dumps(elements)
    rows, ((message, why),) = stated(text.encode())
    assert message == 0
    assert why == (
        "element 2: status is won, none of success, failure, escalated, abandoned; element 4: not a JSON object but 7"
    )
    assert [row["run_id"][-2:] for row in rows] == ["a1", "a3", "a5"]
    assert rows[2]["value_usd"] == 5.5


def test_a_reason_is_short_and_holds_no_secret() -> None:
    _, ((_, why),) = stated([won(status=f"ann{number}@example.com") for number in range(9)])
    assert "@" not in why and why.endswith("; and 4 more")


def test_the_same_statement_has_the_same_id_and_another_status_another() -> None:
    rows, _ = stated(won(), won(), won(status="failure"), won(at="2026-11-19T12:00:00+02:00"))
    assert len(rows) == 2
    assert len({row["outcome_id"] for row in rows}) == 2


def test_ids_are_read_however_they_are_written_and_hide_what_is_personal_as_spans_do() -> None:
    written = [TRACE.upper(), "0f3c5a1e-8d2b-4c6f-9a7e-5b1d2c3e4f50", TRACE]
    rows, _ = stated(*({"trace_id": each, "status": "success"} for each in written))
    assert {row["trace_id"] for row in rows} == {TRACE}
    rows, _ = stated(
        {"session_id": "ann@example.com", "status": "success", "name": "for ann@example.com"}, hash_key="k"
    )
    assert rows[0]["session_id"].startswith("[masked ") and "@" not in rows[0]["name"]


def test_without_a_time_the_message_s_own_counts() -> None:
    (row,), _ = stated({"run_id": "x", "status": "Escalated "})
    assert (row["at"], row["status"], row["run_id"]) == (SENT, "escalated", "x")


_DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "run_id": st.sampled_from(["a", "b1", ""]),
        "session_id": st.sampled_from(["s", "t"]),
        "status": st.sampled_from(["success", "failure", "escalated", "abandoned", "won", 5]),
        "value_usd": st.sampled_from([1, 2.5, None, "x"]),
        "at": st.sampled_from(["2026-11-19T10:00:00Z", "2026-11-18", None, "soon"]),
        "name": st.sampled_from(["n", None]),
    },
)


@given(st.lists(st.one_of(_DOCUMENTS, st.lists(_DOCUMENTS, max_size=3)), max_size=8))
def test_a_message_means_the_same_whatever_it_is_batched_with(documents: list[Any]) -> None:
    together, dead = stated(*documents)
    apart = [stated(document) for document in documents]
    ids = [row["outcome_id"] for rows, _ in apart for row in rows]
    assert [row["outcome_id"] for row in together] == list(dict.fromkeys(ids))
    assert [why for _, why in dead] == [why for _, wrong in apart for _, why in wrong]


@given(_DOCUMENTS)
def test_whatever_the_schema_allows_is_taken(document: dict[str, Any]) -> None:
    if Draft202012Validator(SCHEMA).is_valid(document) and document.get("at") != "soon":
        rows, dead = stated(document)
        assert (len(rows), dead) == (1, [])


def test_statements_far_apart_in_time_keep_their_order() -> None:
    first, second = won(at="2026-11-01"), won(status="failure", at="2026-11-01T00:00:01")
    rows, _ = stated([second, first])
    assert rows[0]["at"] - rows[1]["at"] == timedelta(seconds=1)

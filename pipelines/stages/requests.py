"""Tool calls that a model asked for, from its output: where a package makes no tool spans they are seen nowhere else.

The flattened spellings (``gen_ai.completion.N.tool_calls.N.name``) come as columns. JSON outputs are parsed in Python, but only
distinct texts of model calls that mention a tool call: about 10 µs for one of a kilobyte, no more than DuckDB's JSON functions
took (measured on 8,000), and any shape a dialect nests its calls in is found by one walk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from pipelines.contracts.dialects import output_keys
from pipelines.stages.attributes import Keyed
from pipelines.stages.embedded import texts_of

_FLAT = re.compile(
    r"^(gen_ai\.completion\.\d+\.tool_calls\.\d+|llm\.output_messages\.\d+\.message\.tool_calls\.\d+\.tool_call)"
    r"\.(?:function\.)?(name|id|arguments)$"
)
_MARKS = ["tool_call", "toolCall", "toolName", "function_call", "functionCall", "tool_use"]
#: No real answer asks for more tools at once; a hostile one shall not fill a table.
_MOST = 100
_FIELDS: dict[str, Any] = {
    "span": pl.UInt32,
    "position": pl.Int32,
    "tool_name": pl.String,
    "tool_call_id": pl.String,
    "arguments": pl.String,
}


def requested_tools(keyed: Keyed, kinds: pl.Series) -> pl.DataFrame:
    """Return the tool calls that model calls asked for, by span and position in its output.

    Parameters
    ----------
    keyed : Keyed
        The attributes of the spans.
    kinds : pl.Series
        (spans,) kind of each span: an agent's output repeats its model's.

    Returns
    -------
    pl.DataFrame
        span (row), position (from 0), tool_name, tool_call_id (null where none was sent), arguments (JSON text).
    """
    model = (kinds == "model").to_numpy()
    parts = [_flattened(keyed, model)]
    done = np.zeros(len(kinds), dtype=np.bool_)
    done[parts[0]["span"].to_numpy()] = True
    for key in output_keys():
        for code in keyed.spellings.get(key, ()):
            found = _in_outputs(keyed, code, model & ~done)
            done[found["span"].to_numpy()] = True
            parts.append(found)
    return pl.concat(parts).filter(pl.col("position") < _MOST).sort("span", "position", maintain_order=True)


def _flattened(keyed: Keyed, model: np.ndarray[Any, Any]) -> pl.DataFrame:
    pieces: list[pl.DataFrame] = []
    if keyed.holds(_FLAT_NAMES):
        for code, key in enumerate(keyed.keys):
            match = _FLAT.match(key)
            if match:
                owners, texts = texts_of(keyed, code)
                pieces.append(
                    pl.DataFrame({"span": owners.cast(pl.UInt32), "call": match[1], "field": match[2], "text": texts})
                )
    if not pieces:
        return pl.DataFrame(schema=_FIELDS)
    told = pl.concat(pieces).filter(pl.lit(pl.Series(model)).gather(pl.col("span")))

    def field(name: str) -> pl.Expr:
        return pl.col("text").filter(pl.col("field") == name).first()

    calls = told.group_by("span", "call").agg(
        tool_name=field("name"), tool_call_id=field("id"), arguments=field("arguments")
    )
    order = pl.col("call").str.extract_all(r"\d+").list.eval(pl.element().str.zfill(9)).list.join(".")
    return (
        calls.filter(pl.col("tool_name").is_not_null())
        .sort("span", order)
        .select("span", pl.int_range(pl.len()).over("span").cast(pl.Int32).alias("position"), *list(_FIELDS)[2:])
        .cast(pl.Schema(_FIELDS))
    )


_FLAT_NAMES = (
    "gen_ai.completion.N.tool_calls.N.name",
    "llm.output_messages.N.message.tool_calls.N.tool_call.function.name",
)


def _in_outputs(keyed: Keyed, code: int, wanted: np.ndarray[Any, Any]) -> pl.DataFrame:
    owners, texts = texts_of(keyed, code)
    told = pl.DataFrame({"span": owners.cast(pl.UInt32), "text": texts}).filter(
        pl.Series(wanted[owners.to_numpy()]) & pl.lit(texts).str.contains_any(_MARKS)
    )
    rows = [
        (text, position, *call)
        for text in told["text"].unique(maintain_order=True)
        for position, call in enumerate(_asked(text))
    ]
    schema = {"text": pl.String, **{name: kind for name, kind in _FIELDS.items() if name != "span"}}
    calls = pl.DataFrame(rows, schema=schema, orient="row")
    return told.join(calls, on="text", maintain_order="left_right").select(list(_FIELDS))


def _asked(text: str) -> list[tuple[str, str | None, str]]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found: list[tuple[str, str | None, str]] = []
    for call in _walk(document, depth=0):
        if call[1] is None or all(call[1] != known for _, known, _ in found):  # LangChain writes each call twice
            found.append(call)
        if len(found) >= _MOST:
            break
    return found


def _walk(value: Any, depth: int) -> Iterator[tuple[str, str | None, str]]:
    """Tool calls in any of the shapes that dialects write, outermost first; 12 levels hold every one of them."""
    if depth > 12:
        return
    if isinstance(value, list):
        for item in value:
            yield from _walk(item, depth + 1)
    elif isinstance(value, dict) and value.get("event.name", "gen_ai.choice") == "gen_ai.choice":
        call = _call(value)
        if call is not None:
            yield call
            return
        for name, item in value.items():
            # Definitions of tools, and what was asked, are no calls.
            if name not in ("tools", "messages", "input", "arguments", "args") and _is_output(value, name):
                yield from _walk(item, depth + 1)


def _is_output(value: dict[str, Any], name: str) -> bool:
    """Of a list of messages with roles only the model's own count: histories repeat what was asked before."""
    return value.get("role") in (None, "assistant", "model", "ai") or name not in ("parts", "content", "tool_calls")


def _call(value: dict[str, Any]) -> tuple[str, str | None, str] | None:
    kind = value.get("type")
    function = value.get("function")
    google = value.get("function_call") or value.get("functionCall")
    if isinstance(value.get("toolName"), str) and kind in (None, "tool-call"):  # Vercel
        return _row(value["toolName"], value.get("toolCallId"), value.get("input", value.get("args")))
    if isinstance(google, dict) and isinstance(google.get("name"), str):  # Google, and OpenAI's first form
        return _row(google["name"], google.get("id"), google.get("args", google.get("arguments")))
    if isinstance(function, dict) and isinstance(function.get("name"), str) and kind in (None, "function"):  # OpenAI
        if "arguments" in function:  # a definition has parameters instead
            return _row(function["name"], value.get("id"), function["arguments"])
        return None
    if kind in ("tool_call", "tool_use", "function_call") and isinstance(value.get("name"), str):  # OTel, Anthropic
        given = value.get("arguments", value.get("input", value.get("args")))
        return _row(value["name"], value.get("call_id") or value.get("id"), given)
    return None


def _row(name: str, identity: Any, arguments: Any) -> tuple[str, str | None, str]:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return name[:200], identity[:200] if isinstance(identity, str) and identity else None, text

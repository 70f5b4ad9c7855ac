"""Message text on model calls and tool results, in each dialect's keys: for volume that weighs what real traces weigh.

Sentences are drawn by the bits of the span's id, so the text depends on the span alone; ids and amounts in it differ from
span to span, so it compresses about as conversations do.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .attributes import AttributeTable
from .table import CHAT, TOOL, Rows
from .texts import Texts

_WHO = ("The customer", "The account owner", "A colleague", "The supplier", "The applicant", "The on-call engineer")
_DID = ("asked about", "disputed", "confirmed", "could not find", "wants to change", "reported a problem with", "sent")
_WHAT = (
    "the delivery",
    "an invoice",
    "the access request",
    "the contract",
    "a refund",
    "the monthly report",
    "a claim",
)
_WHEN = ("yesterday", "on Monday", "before the cut-off", "twice this week", "after the release", "at night")
_SENTENCES = pa.array([f" {who} {did} {what} {when}" for who, did, what, when in product(_WHO, _DID, _WHAT, _WHEN)])
#: Mean bytes of a sentence with its reference number.
_SENTENCE_BYTES = 62
_ROLE = {CHAT: ("user", "assistant"), TOOL: ("tool", "tool")}


def add_content(table: AttributeTable, spans: Rows, dialect: NDArray[np.int64], size: int, texts: Texts) -> None:
    """Give each model call messages of about ``size`` bytes, and each tool call a result of half of that.

    Parameters
    ----------
    dialect : (n,) int
        0 OTel GenAI, 1 OpenInference, 2 the older OTel names.
    size : int
        Mean bytes of text per model call; 0 for none.
    """
    for kind, share in ((CHAT, 1.0), (TOOL, 0.5)):
        for number in range(3):
            rows = np.flatnonzero((spans["kind"] == kind) & (dialect == number))
            if not len(rows) or not size:
                continue
            bits = spans["span"][rows]
            asked = texts.passing(_said(bits, size * share * 0.75, number == 0, _ROLE[kind][0]))
            answered = texts.passing(_said(_mixed(bits), size * share * 0.25, number == 0, _ROLE[kind][1]))
            for key, values in zip(_KEYS[kind, number], (asked, answered), strict=False):
                table.add(rows, key, values)
            if kind == CHAT:
                _request(table, rows, number, texts)


_KEYS = {
    (CHAT, 0): ("gen_ai.input.messages", "gen_ai.output.messages"),
    (CHAT, 1): ("llm.input_messages.0.message.content", "llm.output_messages.0.message.content"),
    (CHAT, 2): ("gen_ai.prompt.0.content", "gen_ai.completion.0.content"),
    (TOOL, 0): ("gen_ai.tool.call.result",),
    (TOOL, 1): ("output.value",),
    (TOOL, 2): ("traceloop.entity.output",),
}


def _request(table: AttributeTable, rows: NDArray[np.int64], dialect: int, texts: Texts) -> None:
    if dialect == 1:
        table.add(rows, "llm.input_messages.0.message.role", texts.code("user"))
        table.add(rows, "llm.output_messages.0.message.role", texts.code("assistant"))
        table.add(rows, "llm.invocation_parameters", texts.code('{"temperature": 0.2, "max_tokens": 2048}'))
        return
    if dialect == 2:
        table.add(rows, "gen_ai.prompt.0.role", texts.code("user"))
        table.add(rows, "gen_ai.completion.0.role", texts.code("assistant"))
    table.add(rows, "gen_ai.request.temperature", np.full(len(rows), 0.2), "double")
    table.add(rows, "gen_ai.request.max_tokens", 2048, "int")
    table.add(rows, "server.address", texts.code("models.internal.example"))
    table.add(rows, "server.port", 443, "int")


def _said(bits: NDArray[np.uint64], size: float, wrapped: bool, role: str) -> pa.Array:
    """Sentences of about ``size`` bytes per row; OTel GenAI wraps them in its JSON of messages and parts."""
    count = max(1, round(size / _SENTENCE_BYTES))
    parts: list[pa.Array | pa.Scalar] = []
    for _ in range(count):
        bits = _mixed(bits)
        chosen = (bits % np.uint64(len(_SENTENCES))).astype(np.int64)
        number = pc.cast(pa.array((bits >> np.uint64(40)).astype(np.int64) % 10_000_000), pa.string())  # pyright: ignore[reportAttributeAccessIssue]
        parts += [_SENTENCES.take(pa.array(chosen)), pa.scalar(" (ref "), number, pa.scalar(").")]
    if wrapped:
        parts = [
            pa.scalar(f'[{{"role":"{role}","parts":[{{"type":"text","content":"'),
            *parts,
            pa.scalar('"}]}]'),
        ]
    return pc.binary_join_element_wise(*parts, "")  # pyright: ignore[reportAttributeAccessIssue]


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The next 64 bits of SplitMix64 (Steele, Lea, Flood 2014)."""
    with np.errstate(over="ignore"):
        z = bits + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

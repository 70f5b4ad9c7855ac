"""What each kind of span says in each dialect: OTel GenAI as it is now, OpenInference, and the older OTel names.

Outcome, versions, effects and sources are ``plumbline.*`` everywhere but where OpenInference has a key of its own.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .attributes import AttributeTable
from .content import add_content
from .fleet import TEMPLATES
from .table import CHAT, RETRIEVE, RUN, TOOL, Rows
from .texts import Texts, arguments, hexadecimal
from .wording import Wording

Ints = NDArray[np.int64]
DIALECTS = ("otel", "openinference", "otel-old")
_SPEAKS = np.array([DIALECTS.index(template.dialect) for template in TEMPLATES])


def span_attributes(spans: Rows, wording: Wording, texts: Texts, content_bytes: int) -> pa.Array:
    """Return the attributes of every span, in the dialect of its workflow, with about that much message text."""
    table = AttributeTable(len(spans), texts)
    dialect = _SPEAKS[spans["template"]]
    for number, writers in enumerate((_OTEL, _OPENINFERENCE, _OTEL_OLD)):
        for kind, write in writers.items():
            rows = np.flatnonzero((dialect == number) & (spans["kind"] == kind))
            if len(rows):
                write(table, rows, spans.take(rows), wording, texts)
    add_content(table, spans, dialect, content_bytes, texts)
    return table.build()


def _session(own: Rows, texts: Texts) -> NDArray[np.int32]:
    return texts.passing(hexadecimal("conv_", own["session"]))


def _ours_on_run(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    table.add(rows, "gen_ai.agent.version", wording.agent_version[own["release"]])
    table.add(rows, "plumbline.prompt.version", wording.prompt_version[own["workflow"], own["release"]])
    table.add(rows, "plumbline.policy.version", wording.policy_version[own["workflow"], own["release"]])
    evaluated = np.array([template.outcome_by == "evaluation" for template in TEMPLATES])[own["template"]]
    told = (own["outcome"] >= 0) & ~evaluated
    table.add(rows, "plumbline.outcome.status", wording.outcome[own["outcome"]], where=told)
    table.add(rows, "plumbline.outcome.name", wording.outcome_name[own["template"]], where=told)
    worth = told & (own["value_cents"] > 0)
    table.add(rows, "plumbline.outcome.value_usd", own["value_cents"] / 100, "double", where=worth)


def _ours_on_tool(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    table.add(rows, "plumbline.tool.effect", wording.effect[own["template"], own["action"]])
    undone = own["compensates"] != 0
    table.add(rows[undone], "plumbline.compensates", texts.passing(hexadecimal("call_", own["compensates"][undone])))


def _tool_errors(table: AttributeTable, rows: Ints, own: Rows, wording: Wording) -> None:
    failed = own["error"] > 0
    table.add(rows, "error.type", wording.tool_error[own["template"], own["action"], own["error"] - 1], where=failed)


def _call_ids(own: Rows, texts: Texts) -> NDArray[np.int32]:
    return texts.passing(hexadecimal("call_", own["span"]))


def _arguments(own: Rows, texts: Texts) -> NDArray[np.int32]:
    codes = np.zeros(len(own), np.int32)
    keys = (own["template"].astype(np.int64) * 64 + own["action"]) * 8 + own["shape"]
    for key in np.unique(keys):
        rows = np.flatnonzero(keys == key)
        template, action, shape = int(key) // 512, int(key) // 8 % 64, int(key) % 8
        text = arguments(TEMPLATES[template].tools[action].shapes[shape], own["draw"][rows])
        codes[rows] = texts.passing(text)
    return codes


def _sources(own: Rows, wording: Wording) -> NDArray[np.int32]:
    places = np.arange(5, dtype=np.uint64) * np.uint64(8)
    packed = (own["sources"][:, None] >> places) & np.uint64(0xFF)
    return wording.source[own["template"][:, None], packed.astype(np.int64)]


def _otel_run(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    table.add(rows, "gen_ai.operation.name", texts.code("invoke_agent"))
    table.add(rows, "gen_ai.workflow.name", wording.workflow[own["workflow"]])
    table.add(rows, "gen_ai.agent.name", wording.agent[own["workflow"]])
    table.add(rows, "gen_ai.conversation.id", _session(own, texts))
    table.add(rows, "gen_ai.provider.name", wording.provider[own["template"], own["model"]])
    table.add(rows, "gen_ai.request.model", wording.request_model[own["template"], own["model"]])
    table.add(rows, "gen_ai.usage.input_tokens", own["input_tokens"], "int")  # the total again, as frameworks do
    table.add(rows, "gen_ai.usage.output_tokens", own["output_tokens"], "int")
    _ours_on_run(table, rows, own, wording, texts)


def _otel_chat(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    answered = own["error"] == 0
    table.add(rows, "gen_ai.operation.name", texts.code("chat"))
    table.add(rows, "gen_ai.provider.name", wording.provider[own["template"], own["model"]])
    table.add(rows, "gen_ai.request.model", wording.request_model[own["template"], own["model"]])
    table.add(rows, "gen_ai.conversation.id", _session(own, texts))
    table.add(rows, "error.type", wording.model_error[own["error"] - 1], where=~answered)
    table.add(rows, "gen_ai.response.model", wording.response_model[own["template"], own["model"]], where=answered)
    table.add(rows, "gen_ai.usage.input_tokens", own["input_tokens"], "int", answered)
    table.add(rows, "gen_ai.usage.cache_read.input_tokens", own["cached_tokens"], "int", answered)
    table.add(rows, "gen_ai.usage.output_tokens", own["output_tokens"], "int", answered)
    finish = wording.finish[own["template"], own["model"], own["finish"]]
    table.add(rows, "gen_ai.response.finish_reasons", finish[:, None], "texts", answered)


def _otel_tool(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    table.add(rows, "gen_ai.operation.name", texts.code("execute_tool"))
    table.add(rows, "gen_ai.tool.name", wording.tool[own["template"], own["action"]])
    table.add(rows, "gen_ai.tool.type", texts.code("function"))
    table.add(rows, "gen_ai.tool.call.id", _call_ids(own, texts))
    table.add(rows, "gen_ai.tool.call.arguments", _arguments(own, texts))
    table.add(rows, "gen_ai.conversation.id", _session(own, texts))
    _ours_on_tool(table, rows, own, wording, texts)
    _tool_errors(table, rows, own, wording)


def _otel_retrieval(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    table.add(rows, "gen_ai.operation.name", texts.code("retrieval"))
    table.add(rows, "gen_ai.conversation.id", _session(own, texts))
    table.add(rows, "plumbline.source.ids", _sources(own, wording), "texts")


def _inference_run(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    table.add(rows, "openinference.span.kind", texts.code("AGENT"))
    table.add(rows, "agent.name", wording.agent[own["workflow"]])
    table.add(rows, "session.id", _session(own, texts))
    _ours_on_run(table, rows, own, wording, texts)


def _inference_chat(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    answered = own["error"] == 0
    table.add(rows, "openinference.span.kind", texts.code("LLM"))
    table.add(rows, "llm.provider", wording.provider[own["template"], own["model"]])
    table.add(rows, "llm.model_name", wording.request_model[own["template"], own["model"]])
    table.add(rows, "session.id", _session(own, texts))
    table.add(rows, "llm.token_count.prompt", own["input_tokens"], "int", answered)
    table.add(rows, "llm.token_count.prompt_details.cache_read", own["cached_tokens"], "int", answered)
    table.add(rows, "llm.token_count.completion", own["output_tokens"], "int", answered)
    table.add(rows, "llm.token_count.total", own["input_tokens"] + own["output_tokens"], "int", answered)
    table.add(rows, "llm.finish_reason", wording.finish[own["template"], own["model"], own["finish"]], where=answered)


def _inference_tool(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    table.add(rows, "openinference.span.kind", texts.code("TOOL"))
    table.add(rows, "tool.name", wording.tool[own["template"], own["action"]])
    table.add(rows, "tool_call.id", _call_ids(own, texts))
    table.add(rows, "tool_call.function.arguments", _arguments(own, texts))
    table.add(rows, "session.id", _session(own, texts))
    _ours_on_tool(table, rows, own, wording, texts)
    _tool_errors(table, rows, own, wording)


def _inference_retrieval(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    table.add(rows, "openinference.span.kind", texts.code("RETRIEVER"))
    table.add(rows, "session.id", _session(own, texts))
    sources = _sources(own, wording)
    for place in range(sources.shape[1]):
        found = sources[:, place] >= 0
        table.add(rows, f"retrieval.documents.{place}.document.id", sources[:, place], where=found)


def _old_run(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    table.add(rows, "gen_ai.operation.name", texts.code("invoke_agent"))
    table.add(rows, "gen_ai.system", wording.provider[own["template"], own["model"]])
    table.add(rows, "gen_ai.agent.name", wording.agent[own["workflow"]])
    _ours_on_run(table, rows, own, wording, texts)


def _old_chat(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    answered = own["error"] == 0
    table.add(rows, "gen_ai.operation.name", texts.code("chat"))
    table.add(rows, "gen_ai.system", wording.provider[own["template"], own["model"]])
    table.add(rows, "gen_ai.request.model", wording.request_model[own["template"], own["model"]])
    table.add(rows, "error.type", wording.model_error[own["error"] - 1], where=~answered)
    table.add(rows, "gen_ai.response.model", wording.response_model[own["template"], own["model"]], where=answered)
    table.add(rows, "gen_ai.usage.prompt_tokens", own["input_tokens"], "int", answered)
    table.add(rows, "gen_ai.usage.completion_tokens", own["output_tokens"], "int", answered)
    finish = wording.finish[own["template"], own["model"], own["finish"]]
    table.add(rows, "gen_ai.response.finish_reasons", finish[:, None], "texts", answered)


def _old_tool(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    table.add(rows, "gen_ai.operation.name", texts.code("execute_tool"))
    table.add(rows, "gen_ai.tool.name", wording.tool[own["template"], own["action"]])
    table.add(rows, "gen_ai.tool.call.id", _call_ids(own, texts))
    _ours_on_tool(table, rows, own, wording, texts)
    _tool_errors(table, rows, own, wording)


def _old_retrieval(table: AttributeTable, rows: Ints, own: Rows, wording: Wording, texts: Texts) -> None:
    table.add(rows, "gen_ai.operation.name", texts.code("retrieval"))
    table.add(rows, "plumbline.source.ids", _sources(own, wording), "texts")


_OTEL = {RUN: _otel_run, CHAT: _otel_chat, TOOL: _otel_tool, RETRIEVE: _otel_retrieval}
_OPENINFERENCE = {RUN: _inference_run, CHAT: _inference_chat, TOOL: _inference_tool, RETRIEVE: _inference_retrieval}
_OTEL_OLD = {RUN: _old_run, CHAT: _old_chat, TOOL: _old_tool, RETRIEVE: _old_retrieval}

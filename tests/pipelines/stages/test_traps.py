"""What real dialects do that would double, lose or misname something: one test each."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from tests.pipelines.otlp import START_NS, as_json, as_protobuf, normalised, one_span, request, span

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4.1"}
VERCEL = {"ai.operationId": "ai.generateText.doGenerate", "ai.model.id": "claude-opus-4-6"}


@pytest.mark.parametrize(
    "attributes",
    [
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.aggregated_usage.input_tokens": 2872},
        {"ai.operationId": "ai.generateText", "ai.model.id": "gpt-4.1", "ai.usage.promptTokens": 2872},
        {"ai.operationId": "ai.streamText", "ai.model.id": "gpt-4.1", "gen_ai.usage.input_tokens": 2872},
        {"langfuse.observation.type": "agent", "langfuse.observation.usage_details": '{"input": 2872}'},
        {"mlflow.spanType": '"AGENT"', "mlflow.chat.tokenUsage": '{"input_tokens": 2872}'},
        {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.trace.tokenUsage": '{"input_tokens": 2872}'},
    ],
)
def test_usage_that_sums_up_other_spans_is_not_counted(attributes: dict[str, Any]) -> None:
    assert one_span(attributes)["input_tokens"] is None


def test_vercels_inner_span_is_the_call_and_its_outer_one_is_not() -> None:
    usage = {"ai.model.id": "gpt-4.1", "ai.usage.inputTokens": 10, "ai.usage.outputTokens": 2}
    outer = span({"ai.operationId": "ai.generateText", **usage}, parent="")
    inner = span({"ai.operationId": "ai.generateText.doGenerate", **usage}, span_id="d" * 16)
    spans = normalised(as_protobuf(request(outer, inner))).spans
    assert spans.select("kind", "input_tokens", "output_tokens").rows() == [("agent", None, None), ("model", 10, 2)]


@pytest.mark.parametrize(
    ("usage", "whole", "beside"),
    [
        # Inside the input: OTel, OpenAI. The total tells nothing new.
        ({"gen_ai.usage.input_tokens": 100, "gen_ai.usage.cache_read.input_tokens": 80}, 100, False),
        (
            {
                "gen_ai.usage.input_tokens": 100,
                "gen_ai.usage.cache_read.input_tokens": 80,
                "gen_ai.usage.output_tokens": 5,
                "gen_ai.usage.total_tokens": 105,
            },
            100,
            False,
        ),
        # Beside it, seen from their number: read and written ones together exceed the input.
        (
            {
                "gen_ai.usage.input_tokens": 50,
                "gen_ai.usage.cache_read.input_tokens": 40,
                "gen_ai.usage.cache_creation.input_tokens": 30,
            },
            120,
            True,
        ),
        # Beside it, seen from the total.
        (
            {
                "gen_ai.usage.input_tokens": 100,
                "gen_ai.usage.cache_read.input_tokens": 80,
                "gen_ai.usage.output_tokens": 5,
                "gen_ai.usage.total_tokens": 185,
            },
            180,
            True,
        ),
    ],
)
def test_cached_tokens_are_a_part_of_the_input_in_the_end(usage: dict[str, int], whole: int, beside: bool) -> None:
    row = one_span({**CHAT, **usage})
    assert (row["input_tokens"], "cached_beside_input" in row["quality_flags"]) == (whole, beside)


def test_audio_beside_text_is_a_part_of_the_whole_in_the_end() -> None:
    # As Langfuse's LangChain handler leaves it: each detail is taken out of input or output, the total stays.
    usage = {"input": 20, "input_audio": 100, "output": 7, "output_audio": 30, "total": 157}
    row = one_span({**CHAT, "langfuse.observation.usage_details": json.dumps(usage)})
    assert (row["input_tokens"], row["input_audio_tokens"]) == (120, 100)
    assert (row["output_tokens"], row["output_audio_tokens"]) == (37, 30)
    assert row["quality_flags"] == ["audio_beside_text"]
    inside = {
        "prompt_tokens": 120,
        "prompt_tokens_details": {"audio_tokens": 100},
        "completion_tokens": 37,
        "total_tokens": 157,
    }
    row = one_span({**CHAT, "langfuse.observation.usage_details": json.dumps(inside)})
    assert (row["input_tokens"], row["input_audio_tokens"], row["output_tokens"]) == (120, 100, 37)
    assert row["quality_flags"] == []


def test_modalities_that_are_told_apart_in_a_list_are_found_wherever_they_stand() -> None:
    parts = [{"modality": "TEXT", "token_count": 9}, {"modality": "AUDIO", "token_count": 150}]
    usage = {"prompt_token_count": 159, "prompt_tokens_details": parts, "candidates_token_count": 5}
    row = one_span(
        {
            "gen_ai.request.model": "gemini-2.5-flash",
            "gcp.vertex.agent.llm_response": json.dumps({"usage_metadata": usage}),
        }
    )
    assert (row["input_tokens"], row["input_audio_tokens"], row["output_audio_tokens"]) == (159, 150, None)


@pytest.mark.parametrize("said", [7, 7 + 2089 + 16399])  # the AI SDK's versions 5 and 6
def test_anthropics_own_usage_in_a_vercel_span_is_known_to_leave_cached_tokens_out(said: int) -> None:
    inner = {"input_tokens": 7, "cache_creation_input_tokens": 2089, "cache_read_input_tokens": 16399}
    metadata = json.dumps({"anthropic": {"usage": inner}})
    row = one_span({**VERCEL, "ai.usage.inputTokens": said, "ai.response.providerMetadata": metadata})
    assert (row["input_tokens"], row["cached_input_tokens"], row["cache_write_tokens"]) == (18495, 16399, 2089)
    assert row["quality_flags"] == ["cached_beside_input"]


def test_geminis_thoughts_are_a_part_of_the_output_in_the_end() -> None:
    usage = {"prompt_token_count": 10, "candidates_token_count": 5, "thoughts_token_count": 20}
    response = json.dumps({"usage_metadata": usage, "model_version": "gemini-2.5-pro-001"})
    row = one_span({"gen_ai.request.model": "gemini-2.5-pro", "gcp.vertex.agent.llm_response": response})
    assert (row["input_tokens"], row["output_tokens"], row["reasoning_tokens"]) == (10, 25, 20)
    assert row["response_model"] == "gemini-2.5-pro-001"


@pytest.mark.parametrize(
    ("attributes", "events", "error_type"),
    [
        ({**CHAT, "error.type": "RateLimitError"}, [], "RateLimitError"),
        ({**CHAT, "http.response.status_code": 429}, [], "429"),
        ({**CHAT, "http.status_code": "429"}, [], "429"),
        (CHAT, [("exception", {"exception.type": "openai.RateLimitError"})], "openai.RateLimitError"),
        ({"langfuse.observation.type": "generation", "langfuse.observation.level": "ERROR"}, [], None),
    ],
)
@pytest.mark.parametrize(("status", "flag"), [(0, "error_status_unset"), (1, "error_reported_ok")])
def test_an_error_that_the_span_reports_as_ok_is_an_error(
    attributes: dict[str, Any], events: list[Any], error_type: str | None, status: int, flag: str
) -> None:
    row = one_span(attributes, events=events, status=status)
    assert (row["status"], row["error_type"], row["quality_flags"]) == ("error", error_type, [flag])


def test_an_exception_on_the_way_to_an_answer_is_no_failed_call() -> None:
    events = [("exception", {"exception.type": "Retried"})]
    row = one_span({**CHAT, "gen_ai.usage.output_tokens": 3}, events=events, status=1)
    assert (row["status"], row["error_type"], row["quality_flags"]) == ("ok", "Retried", [])


def test_a_call_without_an_answer_has_failed_only_where_the_package_is_known_to_say_ok() -> None:
    def row(scope: str, attributes: dict[str, Any]) -> dict[str, Any]:
        document = request(span({"openinference.span.kind": "LLM", **attributes}, status=1))
        document["resourceSpans"][0]["scopeSpans"][0]["scope"] = {"name": scope, "version": "1.4.0"}
        return normalised(as_json(document)).spans.row(0, named=True)

    agents = "openinference.instrumentation.openai_agents"
    assert (row(agents, {})["status"], row(agents, {})["error_type"]) == ("error", "unanswered")
    assert row(agents, {"output.value": "__REDACTED__"})["status"] == "ok"
    assert row(agents, {"llm.token_count.completion": 3})["status"] == "ok"
    assert row("openinference.instrumentation.openai", {})["status"] == "ok"


def test_hostile_keys_neither_break_nor_hide_anything() -> None:
    hostile = {
        "__proto__": 1,
        "": "empty",
        "k" * 100_000: "long",
        "a\x00b\nc": "control",
        "gen_ai.prompt.__proto__.x": "y",
    }
    hostile |= {"gen_ai.completion.999999999999.tool_calls.99999999999999.name": "far"}
    row = one_span({**CHAT, **hostile, "gen_ai.usage.input_tokens": 4})
    stored = json.loads(row["attributes"])
    assert row["input_tokens"] == 4
    assert {"__proto__", "", "a\x00b\nc", "gen_ai.prompt.__proto__.x"} <= stored.keys()
    assert next(key for key in stored if key.startswith("kk")) == "k" * 200 + "…[cut]"


@pytest.mark.parametrize("text", ["", "no json", "[" * 100_000, '{"input": {"deep": 1}}', '{"input": "NaN"}', "null"])
def test_hostile_json_texts_give_no_count_and_stay_readable(text: str) -> None:
    row = one_span({"langfuse.observation.type": "generation", "langfuse.observation.usage_details": text})
    assert row["input_tokens"] is None
    assert "langfuse.observation.usage_details" in json.loads(row["attributes"])


def test_openinferences_model_name_is_the_one_that_answered_where_the_request_names_another() -> None:
    llm = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4.1-2025-04-14"}
    row = one_span({**llm, "llm.invocation_parameters": '{"model": "gpt-4.1"}'})
    assert (row["request_model"], row["response_model"]) == ("gpt-4.1", "gpt-4.1-2025-04-14")
    row = one_span({**llm, "llm.invocation_parameters": '{"temperature": 0}'})
    assert (row["request_model"], row["response_model"]) == ("gpt-4.1-2025-04-14", None)


@pytest.mark.parametrize(
    ("attributes", "name", "tool"),
    [
        ({"traceloop.span.kind": "tool", "traceloop.entity.name": "refund"}, "refund.tool", "refund"),
        ({"langfuse.observation.type": "tool"}, "refund", "refund"),
        ({"mlflow.spanType": '"TOOL"'}, "refund", "refund"),
        ({"gen_ai.operation.name": "execute_tool"}, "execute_tool refund", "refund"),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund"}, "other", "refund"),
    ],
)
def test_a_tool_without_a_key_for_its_name_is_named_after_its_span(
    attributes: dict[str, Any], name: str, tool: str
) -> None:
    assert one_span(attributes, name=name)["tool_name"] == tool


OPENAI = {"id": "c1", "type": "function", "function": {"name": "refund", "arguments": '{"id": 1}'}}


@pytest.mark.parametrize(
    "output",
    [
        {
            "gen_ai.output.messages": json.dumps(
                [
                    {
                        "role": "assistant",
                        "parts": [{"type": "tool_call", "id": "c1", "name": "refund", "arguments": {"id": 1}}],
                    }
                ]
            )
        },
        {
            "gen_ai.completion.0.tool_calls.0.id": "c1",
            "gen_ai.completion.0.tool_calls.0.name": "refund",
            "gen_ai.completion.0.tool_calls.0.arguments": '{"id": 1}',
        },
        {
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "refund",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"id": 1}',
            "output.value": json.dumps({"choices": [{"message": {"role": "assistant", "tool_calls": [OPENAI]}}]}),
        },
        {"ai.response.toolCalls": '[{"toolCallId": "c1", "toolName": "refund", "args": "{\\"id\\": 1}"}]'},
        {"langfuse.observation.output": json.dumps({"role": "assistant", "tool_calls": [OPENAI]})},
        {"mlflow.spanOutputs": json.dumps({"choices": [{"message": {"role": "assistant", "tool_calls": [OPENAI]}}]})},
        {
            "gen_ai.completion": json.dumps(
                {
                    "message": {
                        "tool_calls": [{"name": "refund", "args": {"id": 1}, "id": "c1", "type": "tool_call"}],
                        "additional_kwargs": {"tool_calls": [OPENAI]},
                    }
                }
            )
        },
        {
            "gcp.vertex.agent.llm_response": json.dumps(
                {
                    "content": {
                        "role": "model",
                        "parts": [{"function_call": {"id": "c1", "name": "refund", "args": {"id": 1}}}],
                    }
                }
            )
        },
        {
            "events": json.dumps(
                [
                    {
                        "event.name": "gen_ai.assistant.message",
                        "role": "assistant",
                        "tool_calls": [{**OPENAI, "id": "c0"}],
                    },
                    {"event.name": "gen_ai.choice", "message": {"role": "assistant", "tool_calls": [OPENAI]}},
                ]
            )
        },
        {
            "output.value": json.dumps(
                {"content": [{"type": "tool_use", "id": "c1", "name": "refund", "input": {"id": 1}}]}
            )
        },
    ],
    ids=lambda output: next(iter(output)),
)
def test_tool_calls_in_a_models_output_are_read_in_every_dialect(output: dict[str, str]) -> None:
    asked = normalised(as_protobuf(request(span({**CHAT, **output})))).facts["tool_requests"]
    assert asked.select("position", "tool_name", "tool_call_id").rows() == [(0, "refund", "c1")]
    executed = one_span({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": '{"id": 9}'})
    assert asked["arguments_shape"].to_list() == [executed["tool_arguments_shape"]]


def test_what_only_speaks_of_tools_asks_for_none() -> None:
    definitions = json.dumps({"tools": [{"type": "function", "function": {"name": "refund", "parameters": {}}}]})
    history = json.dumps(
        [{"role": "user", "content": "what is a tool_call?"}, {"role": "tool", "tool_calls": [OPENAI]}]
    )
    for text in (definitions, history, '{"tool_call": ' + "[" * 5000, "tool_call"):
        spans = request(
            span({**CHAT, "output.value": text}), span({"openinference.span.kind": "AGENT", "output.value": text})
        )
        assert normalised(as_protobuf(spans)).facts["tool_requests"].is_empty()


def test_an_agents_output_repeats_its_models_and_asks_for_nothing() -> None:
    output = {"ai.response.toolCalls": '[{"toolCallId": "c1", "toolName": "refund", "args": "{}"}]'}
    document = request(span({"ai.operationId": "ai.generateText", **output}))
    assert normalised(as_protobuf(document)).facts["tool_requests"].is_empty()


def test_spans_without_ids_stay_apart_between_messages_and_within_one() -> None:
    twice = request(span(trace_id="", span_id=""), span(trace_id="", span_id=""))
    other = {**request(span(trace_id="", span_id="")), "note": "another message"}
    ids = normalised(as_json(twice), as_json(other)).spans["span_id"]
    assert ids.n_unique() == 3
    assert normalised(as_json(other), as_json(twice)).spans["span_id"].sort().to_list() == ids.sort().to_list()


def test_numbers_and_enums_may_be_text_or_numbers() -> None:
    one = span(CHAT, status=2)
    one["attributes"].append({"key": "gen_ai.usage.input_tokens", "value": {"intValue": 5}})
    one |= {"startTimeUnixNano": START_NS, "status": {"code": "STATUS_CODE_ERROR"}}
    spans = normalised(as_json(request(one))).spans
    assert spans.select("input_tokens", "status", "quality_flags").rows() == [(5, "error", [])]
    assert spans["started_at"].dtype == pl.Datetime("us") and spans["duration_ms"].to_list() == [2000.0]

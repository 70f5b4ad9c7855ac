"""Test-only: tau2's OTLP/JSON lines as canonical rows, so that the marts are tested without the stream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

TAU2 = Path(__file__).resolve().parents[2] / "../shared/data/tau2"
KINDS = {"chat": "model", "execute_tool": "tool", "invoke_agent": "run"}
# OpenAI's list price of gpt-4.1 when these runs were made, in US dollars per million tokens.
PRICES = {"gpt-4.1": (2.0, 0.5, 8.0), "gpt-4.1-2025-04-14": (2.0, 0.5, 8.0)}


def tau2_rows() -> dict[str, pl.DataFrame]:
    """Frames for ``spans`` and ``outcomes``."""
    spans: list[dict[str, Any]] = []
    outcomes: list[dict[str, Any]] = []
    for line in (TAU2 / "traces.otlp.jsonl").read_text(encoding="utf-8").splitlines():
        for resource in json.loads(line)["resourceSpans"]:
            service = attributes(resource["resource"]["attributes"])["service.name"]
            for scope in resource["scopeSpans"]:
                for span in scope["spans"]:
                    spans.append(canonical(span, service))
                    outcomes += verdicts(span)
    return {"spans": pl.DataFrame(spans, infer_schema_length=None), "outcomes": pl.DataFrame(outcomes)}


def attributes(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    def plain(value: dict[str, Any]) -> Any:
        (kind, content), *_ = value.items()
        return int(content) if kind == "intValue" else content

    return {pair["key"]: plain(pair["value"]) for pair in pairs}


def moment(nanoseconds: str) -> Any:
    return pl.Series([int(nanoseconds) // 1000]).cast(pl.Datetime("us")).item()


def canonical(span: dict[str, Any], service: str) -> dict[str, Any]:
    found = attributes(span["attributes"])
    kind = KINDS[found["gen_ai.operation.name"]]
    used: dict[str, Any] = (
        {
            "input_tokens": found.get("gen_ai.usage.input_tokens"),
            "cached_input_tokens": found.get("gen_ai.usage.cache_read.input_tokens"),
            "output_tokens": found.get("gen_ai.usage.output_tokens"),
        }
        if kind == "model"
        else dict.fromkeys(("input_tokens", "cached_input_tokens", "output_tokens"))
    )
    price = PRICES.get(found.get("gen_ai.request.model", ""))
    cost = None
    if kind == "model" and price and used["input_tokens"] is not None:
        cached = used["cached_input_tokens"] or 0
        cost = (
            (used["input_tokens"] - cached) * price[0] + cached * price[1] + (used["output_tokens"] or 0) * price[2]
        ) / 1e6
    workflow = found.get("gen_ai.workflow.name")
    return {
        "trace_id": span["traceId"],
        "span_id": span["spanId"],
        "parent_span_id": span.get("parentSpanId"),
        "run_id": span["traceId"],
        "session_id": found.get("gen_ai.conversation.id"),
        "workflow": workflow or service,
        "workflow_rank": 1 if workflow else 3,
        "kind": kind,
        "name": span["name"],
        "status": {1: "ok", 2: "error", "STATUS_CODE_ERROR": "error"}.get(span["status"].get("code"), "unset"),
        "started_at": moment(span["startTimeUnixNano"]),
        "ended_at": moment(span["endTimeUnixNano"]),
        "request_model": found.get("gen_ai.request.model"),
        "tool_name": found.get("gen_ai.tool.name"),
        "cost_usd": cost,
        **used,
    }


def verdicts(span: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "outcome_id": span["traceId"],
            "run_id": span["traceId"],
            "status": {"pass": "success", "fail": "failure"}[
                attributes(event["attributes"])["gen_ai.evaluation.score.label"]
            ],
            "name": attributes(event["attributes"])["gen_ai.evaluation.name"],
            "at": moment(event["timeUnixNano"]),
            "source": "evaluation",
        }
        for event in span.get("events", [])
        if event["name"] == "gen_ai.evaluation.result"
    ]

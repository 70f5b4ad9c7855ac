"""Small OTLP requests for tests, in both encodings, and batches of messages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from pipelines.contracts.otlp import trace_request_type
from pipelines.sources.base import MESSAGE_SCHEMA
from pipelines.stages.decode import decode
from pipelines.stages.normalise import Normalised, normalise

NOW = datetime(2026, 11, 22)
START_NS = 1_788_000_000_000_000_000  # 2026-08-29


def span(
    attributes: dict[str, Any] | None = None,
    *,
    trace_id: str = "a" * 32,
    span_id: str = "b" * 16,
    parent: str = "c" * 16,
    name: str = "chat",
    start_ns: int = START_NS,
    end_ns: int = START_NS + 2_000_000_000,
    events: Sequence[tuple[str, dict[str, Any]]] = (),
    status: int = 0,
) -> dict[str, Any]:
    """One span as OTLP/JSON; ids are hex."""
    return {
        "traceId": trace_id,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": name,
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(end_ns),
        "attributes": _pairs(attributes or {}),
        "events": [
            {"timeUnixNano": str(end_ns), "name": event, "attributes": _pairs(values)} for event, values in events
        ],
        "status": {"code": status},
    }


def _pairs(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if value == value else "NaN"}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": _pairs(value)}}
    return {"stringValue": value}


def request(*spans: dict[str, Any], resource: dict[str, Any] | None = None) -> dict[str, Any]:
    """One request around spans."""
    attributes = {"service.name": "desk"} if resource is None else resource
    return {"resourceSpans": [{"resource": {"attributes": _pairs(attributes)}, "scopeSpans": [{"spans": list(spans)}]}]}


def as_json(document: dict[str, Any]) -> bytes:
    """The request as an OTLP/JSON message."""
    return json.dumps(document).encode()


def as_protobuf(document: dict[str, Any]) -> bytes:
    """The request as an OTLP protobuf message."""
    message: Any = trace_request_type()()
    for resource_spans in document["resourceSpans"]:
        target = message.resource_spans.add()
        _fill(target.resource.attributes, resource_spans["resource"]["attributes"])
        for scope_spans in resource_spans["scopeSpans"]:
            scope = target.scope_spans.add()
            for each in scope_spans["spans"]:
                one = scope.spans.add(
                    trace_id=bytes.fromhex(each["traceId"]),
                    span_id=bytes.fromhex(each["spanId"]),
                    parent_span_id=bytes.fromhex(each["parentSpanId"]),
                    name=each["name"],
                    start_time_unix_nano=int(each["startTimeUnixNano"]),
                    end_time_unix_nano=int(each["endTimeUnixNano"]),
                )
                one.status.code = each["status"]["code"]
                _fill(one.attributes, each["attributes"])
                for event in each["events"]:
                    added = one.events.add(time_unix_nano=int(event["timeUnixNano"]), name=event["name"])
                    _fill(added.attributes, event["attributes"])
    return message.SerializeToString()


def _fill(target: Any, pairs: list[dict[str, Any]]) -> None:
    for pair in pairs:
        value = target.add(key=pair["key"]).value
        _set(value, pair["value"])


def _set(target: Any, value: dict[str, Any]) -> None:
    ((kind, content),) = value.items()
    if kind == "arrayValue":
        target.array_value.SetInParent()
        for item in content["values"]:
            _set(target.array_value.values.add(), item)
    elif kind == "intValue":
        target.int_value = int(content)
    elif kind == "doubleValue":
        target.double_value = float(content)
    elif kind == "boolValue":
        target.bool_value = content
    else:
        target.string_value = content


def messages(*values: bytes, topic: str = "otlp_spans") -> pl.DataFrame:
    """A batch of messages in one partition."""
    rows = len(values)
    return pl.DataFrame(
        {
            "topic": [topic] * rows,
            "partition": [0] * rows,
            "offset": list(range(rows)),
            "next_offset": list(range(1, rows + 1)),
            "message_at": [NOW] * rows,
            "source_file": [None] * rows,
            "headers": [None] * rows,
            "value": list(values),
        },
        schema=MESSAGE_SCHEMA,
    )


def normalised(*values: bytes) -> Normalised:
    """The canonical form of messages."""
    batch = messages(*values)
    return normalise(decode(batch), batch, now=NOW, max_attribute_bytes=1000)


def one_span(attributes: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The canonical row of one span."""
    return normalised(as_protobuf(request(span(attributes, **options)))).spans.row(0, named=True)

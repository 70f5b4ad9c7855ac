"""OTLP/JSON that is not quite OTLP: coerce what can be coerced, keep what can't as text, lose nothing.

Only messages that the columnar reader refused come here, one at a time, so a Python loop is allowed. What comes out is again
OTLP/JSON as bytes, and goes through the same reader as everything else; its spans are flagged ``lenient_json``.
"""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.message import DecodeError

from pipelines.contracts.otlp import trace_request_type

_REQUEST = "resourceSpans"
_SCALARS = ("stringValue", "boolValue", "intValue", "doubleValue", "bytesValue")
_TEXTS = ("traceId", "spanId", "parentSpanId", "name")
_TIMES = ("startTimeUnixNano", "endTimeUnixNano", "timeUnixNano")


def mended_json(payload: bytes) -> bytes:
    """Return a message as OTLP/JSON in which every value has the type that its place asks for.

    Ids sent as byte buffers become hex; a 64-bit number sent in two halves becomes one; an attribute list sent as an object
    becomes a list; an attribute value that is no ``AnyValue`` becomes the value it most looks like, and what can't stand
    where it is (a text in place of attributes, of spans) stays as the attribute ``otlp.unreadable.<place>``.

    Raises
    ------
    ValueError
        The bytes are not one JSON object, or it holds no list of resource spans.
    """
    try:
        document = json.loads(payload)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(document, dict) or not isinstance(document.get(_REQUEST), list):
        raise ValueError("no list of resourceSpans")
    text = json.dumps({_REQUEST: [_resource_spans(each) for each in _objects(document[_REQUEST])]})
    return text.encode("utf-8", errors="replace")


def is_request(payload: bytes) -> bool:
    """Return whether a readable message without a span is an OTLP request all the same, and thus no dead letter."""
    if payload.lstrip()[:1] == b"{":
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError):
            return False
        return isinstance(document, dict) and isinstance(document.get(_REQUEST), list)
    try:
        request: Any = trace_request_type().FromString(payload)
    except DecodeError:
        return False
    # Any short text parses as protobuf with unknown fields: a request has nothing but resource spans.
    return len(request.resource_spans) > 0 and request.SerializeToString() == payload


def _resource_spans(value: dict[str, Any]) -> dict[str, Any]:
    resource = value.get("resource")
    attributes, unreadable = _attributes(resource.get("attributes") if isinstance(resource, dict) else None)
    scopes = value.get("scopeSpans")
    return {
        "resource": {"attributes": attributes + _kept("resource.attributes", unreadable)},
        "scopeSpans": [_scope_spans(each) for each in _objects(scopes)],
    }


def _scope_spans(value: dict[str, Any]) -> dict[str, Any]:
    scope = value.get("scope")
    scope = scope if isinstance(scope, dict) else {}
    spans = value.get("spans")
    return {
        "scope": {name: _text(scope.get(name)) for name in ("name", "version")},
        "spans": [_span(each) for each in _objects(spans)],
    }


def _span(value: dict[str, Any]) -> dict[str, Any]:
    attributes, unreadable = _attributes(value.get("attributes"))
    attributes += _kept("attributes", unreadable)
    span: dict[str, Any] = {name: _identity(value.get(name)) for name in _TEXTS}
    for name in _TIMES[:2]:
        span[name], wrong = _whole(value.get(name))
        attributes += _kept(name, wrong)
    events = value.get("events")
    span["events"] = [_event(each) for each in _objects(events)]
    attributes += _kept("events", None if isinstance(events, list) else events)
    status = value.get("status")
    if isinstance(status, dict):
        span["status"] = {"message": _text(status.get("message")), "code": _text(status.get("code"))}
    elif status is not None:
        attributes += _kept("status", status)
    return {**span, "attributes": attributes}


def _event(value: dict[str, Any]) -> dict[str, Any]:
    attributes, unreadable = _attributes(value.get("attributes"))
    at, wrong = _whole(value.get("timeUnixNano"))
    attributes += _kept("attributes", unreadable) + _kept("timeUnixNano", wrong)
    return {"timeUnixNano": at, "name": _text(value.get("name")), "attributes": attributes}


def _attributes(value: Any) -> tuple[list[dict[str, Any]], Any]:
    """Key-value pairs, and what of the value is none."""
    if isinstance(value, dict):
        return [{"key": str(key), "value": _plain_value(item)} for key, item in value.items()], None
    if not isinstance(value, list):
        return [], value
    pairs = [each for each in value if isinstance(each, dict)]
    rest = [each for each in value if not isinstance(each, dict)]
    return [
        {"key": _text(pair.get("key")) or "", "value": _any_value(pair.get("value"))} for pair in pairs
    ], rest or None


def _any_value(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return _plain_value(value)
    for name in _SCALARS:
        if name in value:
            return _scalar(name, value[name])
    for name in ("arrayValue", "kvlistValue"):
        inner = value.get(name)
        if isinstance(inner, dict) and isinstance(inner.get("values"), list):
            items = inner["values"]
            if name == "arrayValue":
                return {name: {"values": [_any_value(item) for item in items]}}
            pairs, rest = _attributes(items)
            return {name: {"values": pairs + _kept("values", rest)}}
    return _plain_value(value) if value else {}


def _scalar(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if name == "intValue":
        number, wrong = _whole(value)
        return {"intValue": number} if wrong is None else _plain_value(wrong)
    if name == "doubleValue":
        try:
            return {"doubleValue": str(float(value))}
        except (TypeError, ValueError):
            return _plain_value(value)
    if name == "boolValue":
        return {"boolValue": value} if isinstance(value, bool) else _plain_value(value)
    return {"stringValue": _text(value)}


def _plain_value(value: Any) -> dict[str, Any]:
    """The ``AnyValue`` of a plain JSON value; objects and lists become their JSON text."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and abs(value) < 2**63:
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": str(value)}
    return {"stringValue": _text(value)}


def _whole(value: Any) -> tuple[str | None, Any]:
    """A whole number as text, and the value itself where it is none."""
    if isinstance(value, dict) and {"low", "high"} <= value.keys():  # the Long of JavaScript: two 32-bit halves
        low, high = value["low"], value["high"]
        if isinstance(low, int) and isinstance(high, int):
            return str((high << 32) + (low & 0xFFFFFFFF)), None
        return None, value
    if isinstance(value, float) and value.is_integer():
        return str(int(value)), None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value), None
    if isinstance(value, str) and value.strip().lstrip("+-").isdigit():
        return value.strip(), None
    return None, value


def _identity(value: Any) -> str | None:
    """A text; a byte buffer (Node's ``{"type": "Buffer", "data": [...]}``) as hex."""
    data = value.get("data") if isinstance(value, dict) else value
    if isinstance(data, list) and data and all(isinstance(each, int) and 0 <= each < 256 for each in data):
        return bytes(data).hex()
    return _text(data if isinstance(data, str) else value)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _kept(place: str, value: Any) -> list[dict[str, Any]]:
    return [] if value is None else [{"key": f"otlp.unreadable.{place}", "value": {"stringValue": _text(value)}}]


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []

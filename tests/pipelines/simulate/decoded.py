"""Reads simulated files back through the standard protobuf runtime, message by message."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.contracts.otlp import trace_request_type


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    at: int
    attributes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """A span as delivered; ``seen_before`` is the newest end of all requests before its own, in nanoseconds."""

    seen_before: int
    resource: dict[str, Any]
    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    start: int
    end: int
    status: int
    attributes: dict[str, Any]
    events: tuple[Event, ...]


def messages(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    at = 0
    while at < len(data):
        size = shift = 0
        while True:
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield data[at : at + size]
        at += size
    assert at == len(data)


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(item) for item in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def _attributes(pairs: Any) -> dict[str, Any]:
    found = {pair.key: _value(pair.value) for pair in pairs}
    assert len(found) == len(pairs)
    return found


def decode(out: Path) -> list[Span]:
    """Every span in order of delivery, repeated ones included."""
    spans: list[Span] = []
    newest = 0
    for path in sorted(out.glob("traces-*.otlp.binpb")):
        for payload in messages(path):
            request: Any = trace_request_type().FromString(payload)
            before = newest
            for each in request.resource_spans:
                resource = _attributes(each.resource.attributes)
                for scope in each.scope_spans:
                    for span in scope.spans:
                        newest = max(newest, span.end_time_unix_nano)
                        spans.append(
                            Span(
                                before,
                                resource,
                                span.trace_id.hex(),
                                span.span_id.hex(),
                                span.parent_span_id.hex(),
                                span.name,
                                span.start_time_unix_nano,
                                span.end_time_unix_nano,
                                span.status.code,
                                _attributes(span.attributes),
                                tuple(Event(e.name, e.time_unix_nano, _attributes(e.attributes)) for e in span.events),
                            )
                        )
    return spans

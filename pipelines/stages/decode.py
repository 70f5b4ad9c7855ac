"""First stage: raw messages to columns. No Python loop per span; unreadable messages come back as dead letters.

Protobuf goes through :mod:`pipelines.contracts.otlp` (wire bytes to Arrow), JSON through Polars with an explicit schema.
Both end in the same four tables. A batch that does not decode is halved until the broken messages stand alone.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contracts.otlp import trace_handler
from pipelines.stages.attributes import attribute_frame
from pipelines.stages.lenient import is_request, mended_json


@dataclass(frozen=True, slots=True)
class Decoded:
    """The content of a batch of messages.

    Attributes
    ----------
    spans : pl.DataFrame
        One row per span: message (row of the batch), resource, scope, scope_version, trace_id, span_id, parent_span_id, name,
        started_ns, ended_ns, status_code, status_message.
    attributes, resource_attributes, event_attributes : pl.DataFrame
        One row per attribute, see :func:`pipelines.stages.attributes.attribute_frame`; ``owner`` is a row of spans, a
        resource number, a row of events.
    events : pl.DataFrame
        One row per span event: span (row of spans), at_ns, name.
    dead : pl.DataFrame
        message, reason, detail.
    mended : list of int
        Rows of messages that were read by :mod:`pipelines.stages.lenient`.
    empty : int
        How many messages were requests without a span, which OTLP allows.
    """

    spans: pl.DataFrame
    attributes: pl.DataFrame
    resource_attributes: pl.DataFrame
    events: pl.DataFrame
    event_attributes: pl.DataFrame
    dead: pl.DataFrame
    mended: list[int]
    empty: int


_LEAF: dict[str, Any] = dict.fromkeys(
    ("stringValue", "boolValue", "intValue", "doubleValue", "bytesValue", "kvlistValue"), pl.String
)
_LEAF["boolValue"] = pl.Boolean
_ANY = pl.Struct({**_LEAF, "arrayValue": pl.Struct({"values": pl.List(pl.Struct({**_LEAF, "arrayValue": pl.String}))})})
_ATTRIBUTES = pl.List(pl.Struct({"key": pl.String, "value": _ANY}))
_EVENT = pl.Struct({"timeUnixNano": pl.String, "name": pl.String, "attributes": _ATTRIBUTES})
_SPAN = pl.Struct(
    {
        "traceId": pl.String,
        "spanId": pl.String,
        "parentSpanId": pl.String,
        "name": pl.String,
        "startTimeUnixNano": pl.String,
        "endTimeUnixNano": pl.String,
        "attributes": _ATTRIBUTES,
        "events": pl.List(_EVENT),
        "status": pl.Struct({"message": pl.String, "code": pl.String}),
    }
)
_SCOPE_SPANS = pl.Struct({"scope": pl.Struct({"name": pl.String, "version": pl.String}), "spans": pl.List(_SPAN)})
_REQUEST: dict[str, Any] = {
    "resourceSpans": pl.List(
        pl.Struct({"resource": pl.Struct({"attributes": _ATTRIBUTES}), "scopeSpans": pl.List(_SCOPE_SPANS)})
    )
}

_DEAD_SCHEMA: dict[str, Any] = {"message": pl.UInt32, "reason": pl.String, "detail": pl.String}


def decode(messages: pl.DataFrame) -> Decoded:
    """Return the spans, attributes and events of a batch of messages, and what of it could not be read.

    Parameters
    ----------
    messages : pl.DataFrame
        ``pipelines.sources.base.MESSAGE_SCHEMA``.

    Returns
    -------
    Decoded
        Independent of how messages are batched, but for the row numbers.
    """
    values = messages["value"].to_list()
    protobuf: list[int] = []
    json: list[int] = []
    dead: list[tuple[int, str, str]] = []
    for row, value in enumerate(values):
        if not value or not value.strip():
            dead.append((row, "empty_message", "the message has no bytes"))
        elif value[:1] == b"{":
            json.append(row)
        else:
            protobuf.append(row)
    mended: list[int] = []
    parts: list[tuple[list[int], pa.Array, dict[str, str]]] = []
    for rows, reader, names, reason in (
        (protobuf, _read_protobuf, _SNAKE, "invalid_protobuf"),
        (json, _read_json, _CAMEL, "invalid_json"),
    ):
        for good, column in _read_or_halve(rows, values, reader, reason, dead, mended):
            parts.append((good, column, names))
    tables = _Tables()
    for good, column, names in parts:
        tables.add(good, column, names)
    decoded = tables.finish()
    silent = set(protobuf) | set(json)
    silent -= set(decoded["spans"]["message"].unique().to_list()) | {row for row, *_ in dead}
    other = sorted(row for row in silent if not is_request(values[row]))
    dead.extend((row, "no_spans", "readable, but no OTLP request and without a span") for row in other)
    return Decoded(
        **decoded,
        dead=pl.DataFrame(sorted(dead), schema=_DEAD_SCHEMA, orient="row"),
        mended=mended,
        empty=len(silent) - len(other),
    )


def _read_protobuf(values: list[bytes]) -> pa.Array:
    return trace_handler().list_to_record_batch(values).column(0)


def _read_json(values: list[bytes]) -> pa.Array:
    # A raw line break is white space in JSON, never content: one message becomes one line.
    lines = b"\n".join(value.replace(b"\n", b" ").replace(b"\r", b" ") for value in values)
    column = pl.read_ndjson(io.BytesIO(lines), schema=_REQUEST)["resourceSpans"]
    if len(column) != len(values):
        raise ValueError("not one JSON object per message")
    array = column.to_arrow()
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _read_leniently(values: list[bytes]) -> pa.Array:
    return _read_json([mended_json(value) for value in values])


def _read_or_halve(
    rows: list[int],
    values: list[bytes],
    reader: Callable[[list[bytes]], pa.Array],
    reason: str,
    dead: list[tuple[int, str, str]],
    mended: list[int],
) -> list[tuple[list[int], pa.Array]]:
    if not rows:
        return []
    try:
        return [(rows, reader([values[row] for row in rows]))]
    except (ValueError, pl.exceptions.PolarsError, pa.ArrowException) as error:
        if len(rows) == 1:
            # A few protobuf requests begin like white space or a brace and a few JSON documents like protobuf.
            if reason == "invalid_protobuf" and values[rows[0]].lstrip()[:1] == b"{":
                return _read_or_halve(rows, values, _read_json, "invalid_json", dead, mended)
            if reason == "invalid_json" and reader is _read_json:
                found = _read_or_halve(rows, values, _read_leniently, reason, dead, mended)
                mended += rows if found else []
                return found
            dead.append((rows[0], reason, " ".join(str(error).split())[:200]))
            return []
    middle = len(rows) // 2
    left = _read_or_halve(rows[:middle], values, reader, reason, dead, mended)
    return left + _read_or_halve(rows[middle:], values, reader, reason, dead, mended)


_SNAKE = {name: name for name in ("resource", "attributes", "scope_spans", "scope", "name", "spans", "trace_id")}
_SNAKE |= {name: name for name in ("span_id", "parent_span_id", "events", "status", "code", "message")}
_SNAKE |= {"start": "start_time_unix_nano", "end": "end_time_unix_nano", "time": "time_unix_nano"}
_CAMEL = {name: name for name in ("resource", "attributes", "scope", "name", "spans", "events", "status", "code")}
_CAMEL |= {"message": "message", "scope_spans": "scopeSpans", "trace_id": "traceId", "span_id": "spanId"}
_CAMEL |= {"parent_span_id": "parentSpanId", "start": "startTimeUnixNano", "end": "endTimeUnixNano"}
_CAMEL |= {"time": "timeUnixNano"}


def _flatten(lists: pa.Array) -> tuple[pa.Array, pl.Series]:
    return pc.list_flatten(lists), pl.Series(pc.list_parent_indices(lists)).cast(pl.UInt32)  # pyright: ignore[reportAttributeAccessIssue]


def _field(structs: pa.Array, *path: str) -> pa.Array:
    for name in path:
        structs = pc.struct_field(structs, name)  # pyright: ignore[reportAttributeAccessIssue]
    return structs


def _hex(ids: pa.Array) -> pl.Series:
    series = pl.Series(ids)
    return series.bin.encode("hex") if series.dtype == pl.Binary else series.fill_null("").str.to_lowercase()


def _nanoseconds(times: pa.Array) -> pl.Series:
    series = pl.Series(times)
    return (series.cast(pl.UInt64, strict=False) if series.dtype == pl.String else series).fill_null(0)


class _Tables:
    """Collects the flattened tables of the protobuf and the JSON part under running row numbers."""

    def __init__(self) -> None:
        self.frames: dict[str, list[pl.DataFrame]] = {name: [] for name in _EMPTY}
        self.resources = self.spans = self.events = 0

    def add(self, rows: list[int], requests: pa.Array, names: dict[str, str]) -> None:
        resources, of_message = _flatten(requests)
        scopes, of_resource = _flatten(_field(resources, names["scope_spans"]))
        spans, of_scope = _flatten(_field(scopes, names["spans"]))
        events, of_span = _flatten(_field(spans, names["events"]))
        resource = of_resource.gather(of_scope)
        code = pl.Series(_field(spans, names["status"], names["code"])).cast(pl.String)
        self.frames["spans"].append(
            pl.DataFrame(
                {
                    "message": pl.Series(rows, dtype=pl.UInt32).gather(of_message.gather(resource)),
                    "resource": resource + self.resources,
                    "scope": pl.Series(_field(scopes, names["scope"], "name")).gather(of_scope),
                    "scope_version": pl.Series(_field(scopes, names["scope"], "version")).gather(of_scope),
                    "trace_id": _hex(_field(spans, names["trace_id"])),
                    "span_id": _hex(_field(spans, names["span_id"])),
                    "parent_span_id": _hex(_field(spans, names["parent_span_id"])),
                    "name": pl.Series(_field(spans, names["name"])).fill_null(""),
                    "started_ns": _nanoseconds(_field(spans, names["start"])),
                    "ended_ns": _nanoseconds(_field(spans, names["end"])),
                    "status_code": code.replace_strict(_STATUS, default=0, return_dtype=pl.Int8),
                    "status_message": pl.Series(_field(spans, names["status"], names["message"])),
                },
                schema=_EMPTY["spans"],
            )
        )
        self.frames["events"].append(
            pl.DataFrame(
                {
                    "span": of_span + self.spans,
                    "at_ns": _nanoseconds(_field(events, names["time"])),
                    "name": pl.Series(_field(events, names["name"])).fill_null(""),
                },
                schema=_EMPTY["events"],
            )
        )
        for table, lists, first in (
            ("resource_attributes", _field(resources, names["resource"], names["attributes"]), self.resources),
            ("attributes", _field(spans, names["attributes"]), self.spans),
            ("event_attributes", _field(events, names["attributes"]), self.events),
        ):
            pairs, owner = _flatten(lists)
            self.frames[table].append(attribute_frame(pairs, owner + first))
        self.resources += len(resources)
        self.spans += len(spans)
        self.events += len(events)

    def finish(self) -> dict[str, pl.DataFrame]:
        return {
            name: pl.concat(frames) if frames else pl.DataFrame(schema=_EMPTY[name])
            for name, frames in self.frames.items()
        }


_STATUS = {"1": 1, "2": 2, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_ATTRIBUTE_SCHEMA: dict[str, Any] = dict(attribute_frame(None, pl.Series([], dtype=pl.UInt32)).schema)
_EMPTY: dict[str, dict[str, Any]] = {
    "spans": {
        "message": pl.UInt32,
        "resource": pl.UInt32,
        "scope": pl.String,
        "scope_version": pl.String,
        "trace_id": pl.String,
        "span_id": pl.String,
        "parent_span_id": pl.String,
        "name": pl.String,
        "started_ns": pl.UInt64,
        "ended_ns": pl.UInt64,
        "status_code": pl.Int8,
        "status_message": pl.String,
    },
    "events": {"span": pl.UInt32, "at_ns": pl.UInt64, "name": pl.String},
    "attributes": _ATTRIBUTE_SCHEMA,
    "resource_attributes": _ATTRIBUTE_SCHEMA,
    "event_attributes": _ATTRIBUTE_SCHEMA,
}

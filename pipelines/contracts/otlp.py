"""OTLP traces on the wire: a trimmed, wire-compatible descriptor that Arrow can hold.

``AnyValue`` of OTLP is recursive, Arrow is not. Here an array holds one level of scalar leaves and everything deeper
stays undecoded bytes (``kvlist_value``, nested arrays), to be decoded by :func:`nested_value` only where it occurs. Field
numbers are those of ``opentelemetry/proto/trace/v1/trace.proto`` (OTLP 1.x), so the bytes on the wire are the same.

Both directions are columnar: ``trace_handler().list_to_record_batch(payloads)`` and
``trace_handler().record_batch_to_array(batch)``.
"""

from __future__ import annotations

import base64
from functools import cache
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError, Message
from ptars import HandlerPool, PtarsConfig

_F = FieldDescriptorProto
_SCALARS = {
    "string": _F.TYPE_STRING,
    "bytes": _F.TYPE_BYTES,
    "bool": _F.TYPE_BOOL,
    "int64": _F.TYPE_INT64,
    "double": _F.TYPE_DOUBLE,
    "fixed64": _F.TYPE_FIXED64,
    "uint32": _F.TYPE_UINT32,
    "int32": _F.TYPE_INT32,
    "fixed32": _F.TYPE_FIXED32,
}

# message -> (name, number, type, "one" | "many" | "oneof"); a type that is no scalar names a message.
_Fields = tuple[tuple[str, int, str, str], ...]

_LEAF: _Fields = (
    ("string_value", 1, "string", "oneof"),
    ("bool_value", 2, "bool", "oneof"),
    ("int_value", 3, "int64", "oneof"),
    ("double_value", 4, "double", "oneof"),
    ("array_value", 5, "bytes", "oneof"),
    ("kvlist_value", 6, "bytes", "oneof"),
    ("bytes_value", 7, "bytes", "oneof"),
)
_TRACE: dict[str, _Fields] = {
    "Leaf": _LEAF,
    "LeafArray": (("values", 1, "Leaf", "many"),),
    "AnyValue": tuple((n, i, "LeafArray" if n == "array_value" else t, k) for n, i, t, k in _LEAF),
    "KeyValue": (("key", 1, "string", "one"), ("value", 2, "AnyValue", "one")),
    "Resource": (("attributes", 1, "KeyValue", "many"),),
    "Scope": (("name", 1, "string", "one"), ("version", 2, "string", "one")),
    "Status": (("message", 2, "string", "one"), ("code", 3, "int32", "one")),
    "Event": (
        ("time_unix_nano", 1, "fixed64", "one"),
        ("name", 2, "string", "one"),
        ("attributes", 3, "KeyValue", "many"),
    ),
    "Span": (
        ("trace_id", 1, "bytes", "one"),
        ("span_id", 2, "bytes", "one"),
        ("parent_span_id", 4, "bytes", "one"),
        ("name", 5, "string", "one"),
        ("kind", 6, "int32", "one"),
        ("start_time_unix_nano", 7, "fixed64", "one"),
        ("end_time_unix_nano", 8, "fixed64", "one"),
        ("attributes", 9, "KeyValue", "many"),
        ("events", 11, "Event", "many"),
        ("status", 15, "Status", "one"),
    ),
    "ScopeSpans": (("scope", 1, "Scope", "one"), ("spans", 2, "Span", "many")),
    "ResourceSpans": (("resource", 1, "Resource", "one"), ("scope_spans", 2, "ScopeSpans", "many")),
    "ExportTraceServiceRequest": (("resource_spans", 1, "ResourceSpans", "many"),),
}
_NESTED: dict[str, _Fields] = {
    "AnyValue": tuple(
        (n, i, {"array_value": "ArrayValue", "kvlist_value": "KeyValueList"}.get(n, t), k) for n, i, t, k in _LEAF
    ),
    "KeyValue": (("key", 1, "string", "one"), ("value", 2, "AnyValue", "one")),
    "ArrayValue": (("values", 1, "AnyValue", "many"),),
    "KeyValueList": (("values", 1, "KeyValue", "many"),),
}


def _file(package: str, messages: dict[str, _Fields]) -> FileDescriptorProto:
    file = FileDescriptorProto(name=f"{package.replace('.', '/')}.proto", package=package, syntax="proto3")
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        if any(label == "oneof" for *_, label in fields):
            message.oneof_decl.add(name="value")
        for field_name, number, kind, label in fields:
            field = message.field.add(name=field_name, number=number)
            field.label = _F.LABEL_REPEATED if label == "many" else _F.LABEL_OPTIONAL
            if kind in _SCALARS:
                field.type = _SCALARS[kind]
            else:
                field.type, field.type_name = _F.TYPE_MESSAGE, f".{package}.{kind}"
            if label == "oneof":
                field.oneof_index = 0
    return file


@cache
def _message_type(package: str, name: str) -> type[Message]:
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file(package, _NESTED if package.endswith("nested") else _TRACE))  # pyright: ignore[reportUnknownMemberType]
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))


def trace_request_type() -> type[Message]:
    """Return the protobuf class of the trimmed ``ExportTraceServiceRequest``, to read one message at a time."""
    return _message_type("plumbline.otlp", "ExportTraceServiceRequest")


@cache
def trace_handler() -> Any:
    """Return the ptars handler that turns ``ExportTraceServiceRequest`` payloads into one record batch and back.

    Lists are nullable and named ``item``; an absent sub-message is a null struct, an absent proto3 scalar its zero.
    """
    descriptor = trace_request_type().DESCRIPTOR
    return HandlerPool([descriptor.file], config=PtarsConfig(list_nullable=True)).get_for_message(descriptor)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def nested_value(kind: str, payload: bytes) -> Any:
    """Return the Python value (list, dict, scalar) of an ``ArrayValue`` or ``KeyValueList`` left as bytes.

    Parameters
    ----------
    kind : {"ArrayValue", "KeyValueList"}
    payload : bytes

    Returns
    -------
    list, dict or None
        None where the bytes are not that message.
    """
    message = _message_type("plumbline.otlp.nested", kind)()
    try:
        message.ParseFromString(payload)
    except DecodeError:
        return None
    return _plain_list(message) if kind == "ArrayValue" else _plain_dict(message)


def _plain_list(message: Any) -> list[Any]:
    return [_plain(value) for value in message.values]


def _plain_dict(message: Any) -> dict[str, Any]:
    return {pair.key: _plain(pair.value) for pair in message.values}


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return _plain_list(value.array_value)
    if kind == "kvlist_value":
        return _plain_dict(value.kvlist_value)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind)

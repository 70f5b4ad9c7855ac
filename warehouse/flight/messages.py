"""The commands of Flight SQL that a read-only server understands, as protobuf messages.

Arrow's Python package speaks Flight and leaves Flight SQL to the server: a command is one of these messages in an ``Any``.
Names, field numbers and types are those of ``FlightSql.proto`` (Arrow 26).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import any_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import DecodeError, Message

_PACKAGE = "arrow.flight.protocol.sql"
_F = FieldDescriptorProto
_TYPES = {"string": _F.TYPE_STRING, "bytes": _F.TYPE_BYTES, "bool": _F.TYPE_BOOL, "uint32": _F.TYPE_UINT32}

# message -> its fields: name, number, type, "one", "optional" (told from empty) or "many".
_MESSAGES: dict[str, tuple[tuple[str, int, str, str], ...]] = {
    "CommandStatementQuery": (("query", 1, "string", "one"),),
    "TicketStatementQuery": (("statement_handle", 1, "bytes", "one"),),
    "CommandPreparedStatementQuery": (("prepared_statement_handle", 1, "bytes", "one"),),
    "ActionCreatePreparedStatementRequest": (("query", 1, "string", "one"),),
    "ActionCreatePreparedStatementResult": (
        ("prepared_statement_handle", 1, "bytes", "one"),
        ("dataset_schema", 2, "bytes", "one"),
        ("parameter_schema", 3, "bytes", "one"),
    ),
    "ActionClosePreparedStatementRequest": (("prepared_statement_handle", 1, "bytes", "one"),),
    "CommandGetSqlInfo": (("info", 1, "uint32", "many"),),
    "CommandGetCatalogs": (),
    "CommandGetDbSchemas": (
        ("catalog", 1, "string", "optional"),
        ("db_schema_filter_pattern", 2, "string", "optional"),
    ),
    "CommandGetTables": (
        ("catalog", 1, "string", "optional"),
        ("db_schema_filter_pattern", 2, "string", "optional"),
        ("table_name_filter_pattern", 3, "string", "optional"),
        ("table_types", 4, "string", "many"),
        ("include_schema", 5, "bool", "one"),
    ),
    "CommandGetTableTypes": (),
}


@cache
def _classes() -> dict[str, type[Message]]:
    file = FileDescriptorProto(name="plumbline/flight_sql.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, how in fields:
            label = _F.LABEL_REPEATED if how == "many" else _F.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, type=_TYPES[kind], label=label)
            if how == "optional":
                message.oneof_decl.add(name=f"_{field}")
                added.oneof_index = len(message.oneof_decl) - 1
                added.proto3_optional = True
    pool = descriptor_pool.DescriptorPool()  # of its own: another package may define the same names
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES
    }


def read(data: bytes) -> tuple[str, Any]:
    """Name and message of a command; the message is None for a command that is none of those above.

    Raises
    ------
    ValueError
        If the bytes are no command of Flight SQL.
    """
    packed = any_pb2.Any()
    try:
        packed.ParseFromString(data)
        name = packed.type_url.rpartition("/")[2].removeprefix(f"{_PACKAGE}.")
        if not name:
            raise ValueError("not a command of Flight SQL")
        if name not in _MESSAGES:
            return name, None
        message = _classes()[name]()
        message.ParseFromString(packed.value)
    except DecodeError as error:
        raise ValueError("not a command of Flight SQL") from error
    return name, message


def write(name: str, **fields: Any) -> bytes:
    """The message of that name in an ``Any``, as bytes."""
    packed = any_pb2.Any(type_url=f"type.googleapis.com/{_PACKAGE}.{name}")
    packed.value = _classes()[name](**fields).SerializeToString()
    return packed.SerializeToString()

"""The server: each statement goes through a `Reader`, and its rows leave as they are computed.

A client asks for a statement's schema (``get_flight_info``) and then for its rows (``do_get``); both carry the whole statement
and are checked anew, so the server holds nothing between them but prepared statements, of which the oldest are forgotten.
It neither writes nor keeps a transaction: such commands are refused.
"""

from __future__ import annotations

import queue
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import flight

from warehouse.connection import Limits
from warehouse.errors import StatementRefusedError, WarehouseError
from warehouse.flight import catalog, messages
from warehouse.flight.token import OpenHandshake, TokenCheck
from warehouse.reader import Bounds, Reader

# Prepared statements of all clients together; a client that comes back to a forgotten one is told to prepare it again.
_PREPARED = 1_000
_LONGEST_STATEMENT = 1_000_000
_LONGEST_WAIT_S = 30.0


class FlightSqlServer(flight.FlightServerBase):
    """A running server; `serve` blocks until `shutdown`.

    Parameters
    ----------
    path : Path
        Directory of the warehouse.
    token : str
        What every call must show.
    host, port
        Where it listens; port 0 takes a free one, which is then `port`.
    certificate, key : Path | None
        PEM files; with them it speaks TLS only.
    bounds : Bounds | None
        What each statement may use.
    slots : int
        Statements answered at once. One that finds no slot within 30 seconds is refused.
    wait_s : float
        How long it waits for a slot, in seconds.
    as_of : int | datetime | None
        Answer every statement as of this snapshot, or the last one by this moment (UTC without a zone).

    Raises
    ------
    WarehouseError
        If there is no warehouse, a certificate can't be read, or the address is taken.
    """

    def __init__(
        self,
        path: Path,
        *,
        token: str,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: Path | None = None,
        key: Path | None = None,
        bounds: Bounds | None = None,
        slots: int = 4,
        wait_s: float = _LONGEST_WAIT_S,
        as_of: int | datetime | None = None,
    ) -> None:
        self._wait_s, self._slots = wait_s, slots
        self._prepared: OrderedDict[bytes, tuple[str, list[Any]]] = OrderedDict()
        self._turn = threading.Lock()
        self._readers: queue.LifoQueue[Reader] = queue.LifoQueue()
        with ExitStack() as opened:
            for _ in range(slots):
                # A thread each: slots, not one statement's threads, share the processor.
                reader = Reader(path, limits=Limits(threads=1), bounds=bounds, as_of=as_of)
                self._readers.put(opened.enter_context(reader))
            try:
                pair = [(certificate.read_bytes(), key.read_bytes())] if certificate and key else None
                address = f"[{host}]" if ":" in host else host
                super().__init__(
                    f"grpc{'+tls' if pair else ''}://{address}:{port}",
                    auth_handler=OpenHandshake(),
                    middleware={"token": TokenCheck(token)},
                    tls_certificates=pair,
                )
            except (OSError, pa.ArrowException) as error:
                raise WarehouseError(
                    "the server can't start", f"{host}:{port}", " ".join(str(error).split())
                ) from error
            self._opened = opened.pop_all()

    def shutdown(self) -> None:
        """Stop listening, and close the readers; statements that run end with an error."""
        super().shutdown()
        self._opened.close()

    def get_flight_info(self, context: Any, descriptor: flight.FlightDescriptor) -> flight.FlightInfo:
        """Answer with the schema of a statement or command, and the ticket for its rows."""
        with _told():
            name, command = messages.read(descriptor.command)
            schema = self._schema(name, command)
            ticket = descriptor.command
            if name == "CommandStatementQuery":
                ticket = messages.write("TicketStatementQuery", statement_handle=command.query.encode())
            return flight.FlightInfo(schema, descriptor, [flight.FlightEndpoint(ticket, [])], -1, -1)

    def get_schema(self, context: Any, descriptor: flight.FlightDescriptor) -> flight.SchemaResult:
        """Answer with the schema of a statement or command."""
        with _told():
            return flight.SchemaResult(self._schema(*messages.read(descriptor.command)))

    def do_get(self, context: Any, ticket: flight.Ticket) -> flight.FlightDataStream:
        """Answer with the rows of a ticket."""
        with _told():
            name, command = messages.read(ticket.ticket)
            if name in ("TicketStatementQuery", "CommandPreparedStatementQuery"):
                rows = self._rows(*self._statement(name, command))
                return flight.GeneratorStream(next(rows), rows)
            with self._reader() as reader:
                return flight.RecordBatchStream(_known(name, catalog.answer(name, command, reader)))

    def do_put(self, context: Any, descriptor: flight.FlightDescriptor, reader: Any, writer: Any) -> None:
        """Take the values of a prepared statement's marks: of one row, a value each."""
        with _told():
            name, command = messages.read(descriptor.command)
            if name != "CommandPreparedStatementQuery":
                raise StatementRefusedError("the warehouse is read only")
            values = reader.read_all()
            if values.num_rows != 1:
                raise ValueError(f"{values.num_rows} rows of parameters: give one")
            sql, _ = self._statement(name, command)
            self._prepared[command.prepared_statement_handle] = (sql, [column[0].as_py() for column in values.columns])

    def do_action(self, context: Any, action: flight.Action) -> Iterator[flight.Result]:
        """Prepare a statement, or forget a prepared one."""
        with _told():
            return iter(self._act(action))

    def _act(self, action: flight.Action) -> list[flight.Result]:
        name, command = messages.read(action.body.to_pybytes())
        if name == "ActionCreatePreparedStatementRequest":
            sql, handle = _short(command.query), secrets.token_bytes(16)
            with self._reader() as reader:
                schema = reader.schema(sql)
            with self._turn:
                self._prepared[handle] = (sql, [])
                while len(self._prepared) > _PREPARED:
                    self._prepared.popitem(last=False)
            answer = messages.write(
                "ActionCreatePreparedStatementResult",
                prepared_statement_handle=handle,
                dataset_schema=schema.serialize().to_pybytes(),
                parameter_schema=catalog.parameters(sql).serialize().to_pybytes(),
            )
            return [flight.Result(answer)]
        if name == "ActionClosePreparedStatementRequest":
            with self._turn:
                self._prepared.pop(command.prepared_statement_handle, None)
            return []
        raise StatementRefusedError("the warehouse is read only, and keeps no transactions")

    def _schema(self, name: str, command: Any) -> pa.Schema:
        with self._reader() as reader:
            if name in ("CommandStatementQuery", "CommandPreparedStatementQuery"):
                return reader.schema(*self._statement(name, command))
            return _known(name, catalog.answer(name, command, reader)).schema

    def _statement(self, name: str, command: Any) -> tuple[str, list[Any]]:
        if name == "CommandStatementQuery":
            return _short(command.query), []
        if name == "TicketStatementQuery":
            return _short(command.statement_handle.decode()), []
        found = self._prepared.get(command.prepared_statement_handle)
        if found is None:
            raise ValueError("this prepared statement is not known any more: prepare it again")
        return found

    def _rows(self, sql: str, values: list[Any]) -> Iterator[Any]:
        """The schema, then the batches; the reader is free again when the last was taken or the client has left."""
        with _told(), self._reader() as reader, reader.stream(sql, values) as batches:
            yield batches.schema
            yield from batches

    @contextmanager
    def _reader(self) -> Iterator[Reader]:
        try:
            reader = self._readers.get(timeout=self._wait_s)
        except queue.Empty:
            raise flight.FlightUnavailableError(
                f"{self._slots} statements are running: try again when one has ended"
            ) from None
        try:
            yield reader
        finally:
            self._readers.put(reader)


def _known(name: str, answer: pa.Table | None) -> pa.Table:
    if answer is None:
        raise ValueError(f"{name[:80]} is not answered here")
    return answer


def _short(sql: str) -> str:
    if len(sql) > _LONGEST_STATEMENT:
        raise ValueError(f"a statement of more than {_LONGEST_STATEMENT:,} characters")
    return sql


@contextmanager
def _told() -> Iterator[None]:
    """Tell a client what went wrong in Flight's terms: any other error would carry this program's traceback to it."""
    try:
        yield
    except StatementRefusedError as error:
        raise flight.FlightUnauthorizedError(str(error)) from None
    except (WarehouseError, ValueError) as error:
        raise flight.FlightServerError(" ".join(str(error).split())) from None

"""The warehouse for tools that can't attach it: a read-only Arrow Flight SQL server over `warehouse.Reader`."""

from warehouse.flight.server import FlightSqlServer
from warehouse.flight.token import token_of

__all__ = ["FlightSqlServer", "token_of"]

"""The lakehouse: connection, migrations, SQL models, the read-only door for analysts, and the data dictionary."""

from warehouse.connection import Limits
from warehouse.errors import (
    ResultTooLargeError,
    StatementRefusedError,
    WarehouseBusyError,
    WarehouseError,
    WarehouseFullError,
)
from warehouse.lake import Warehouse, read_only
from warehouse.reader import Bounds, Reader, run_select

__all__ = [
    "Bounds",
    "Limits",
    "Reader",
    "ResultTooLargeError",
    "StatementRefusedError",
    "Warehouse",
    "WarehouseBusyError",
    "WarehouseError",
    "WarehouseFullError",
    "read_only",
    "run_select",
]

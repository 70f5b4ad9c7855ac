"""The lakehouse: connection, migrations, SQL models, the read-only door for analysts, and the data dictionary."""

from warehouse.connection import Limits
from warehouse.errors import StatementRefusedError, WarehouseBusyError, WarehouseError, WarehouseFullError
from warehouse.lake import Warehouse, read_only
from warehouse.reader import Reader, run_select

__all__ = [
    "Limits",
    "Reader",
    "StatementRefusedError",
    "Warehouse",
    "WarehouseBusyError",
    "WarehouseError",
    "WarehouseFullError",
    "read_only",
    "run_select",
]

"""Load DuckDB's DuckLake and SQLite extensions, from the installed wheels first.

The wheels carry DuckDB's own signed files, so ``allow_unsigned_extensions`` stays off and no network is needed.
Only when a wheel's file is missing is ``INSTALL`` tried, once, with a clear error where that fails too.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import duckdb

from warehouse.errors import WarehouseError

EXTENSIONS = ("ducklake", "sqlite_scanner")


def extension_file(name: str) -> Path | None:
    """Path of an extension inside its wheel for the running DuckDB version, or None.

    Parameters
    ----------
    name : str
        DuckDB's name of the extension, for example ``ducklake``.
    """
    spec = find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    return file if file.is_file() else None


def load_extensions(connection: duckdb.DuckDBPyConnection) -> None:
    """Load every extension the warehouse needs into `connection`.

    Raises
    ------
    WarehouseError
        If an extension is neither installed as a wheel nor obtainable with ``INSTALL``.
    """
    for name in EXTENSIONS:
        file = extension_file(name)
        try:
            if file is not None:
                connection.execute(f"LOAD {quote_text(str(file))}")
            else:
                connection.execute(f"INSTALL {name}")
                connection.execute(f"LOAD {name}")
        except duckdb.Error as error:
            wheel = f"duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}"
            raise WarehouseError(
                f"DuckDB extension {name} can't be loaded",
                str(file or "no wheel installed"),
                f"install {wheel} ({error})",
            ) from error


def quote_text(text: str) -> str:
    """SQL string literal of `text`, for the statements that take no parameters (ATTACH, LOAD)."""
    return "'" + text.replace("'", "''") + "'"

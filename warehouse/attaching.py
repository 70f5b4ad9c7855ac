"""The lines by which any DuckDB client attaches the warehouse to read it; `docs/warehouse.md` shows them, the tests run them."""

from __future__ import annotations

from pathlib import Path

from warehouse.connection import CATALOG_FILE, DATA_DIRECTORY
from warehouse.extensions import quote_text


def attach_lines(path: Path, *, locked: bool = True) -> list[str]:
    """SQL statements that attach the warehouse in directory `path` read only, as ``lake``.

    Parameters
    ----------
    locked : bool
        Also close the client's own doors: files outside the lake's data, and its configuration. They can't be opened again.
    """
    path = path.absolute()
    lines = [
        f"ATTACH {quote_text(f'ducklake:sqlite:{path / CATALOG_FILE}')} AS lake (READ_ONLY, META_BUSY_TIMEOUT 10000)",
        "USE lake",
    ]
    if locked:
        lines += [
            f"SET allowed_directories = [{quote_text(f'{path / DATA_DIRECTORY}/')}]",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ]
    return lines

"""Bring a warehouse up to this version's tables, by numbered SQL files.

Each file of ``warehouse/migrations`` runs once. Those that are missing run in one transaction with their record in
``schema_migrations``: a crash leaves the warehouse either before or after all of them. Files are never edited once released; a
change is a new file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from warehouse import compaction, describing, stable, statistics
from warehouse.errors import WarehouseError

if TYPE_CHECKING:
    from warehouse.lake import Warehouse

MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file, ``NNNN_name.sql``."""

    version: int
    name: str
    sql: str


def migrations(directory: Path = MIGRATIONS) -> list[Migration]:
    """All migrations, in order; their numbers must be 1, 2, 3 … without a gap."""
    found = [
        Migration(int(file.stem[:4]), file.stem[5:], file.read_text(encoding="utf-8"))
        for file in sorted(directory.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    ]
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise WarehouseError("migrations are not numbered 1, 2, 3 …", str(directory), "rename the files")
    return found


def migrate(warehouse: Warehouse) -> list[int]:
    """Versions applied now, in order; empty when the warehouse was up to date.

    Raises
    ------
    WarehouseError
        If the warehouse was written by a newer version of the product.
    """
    known = migrations()
    done = applied(warehouse.connection)
    newer = sorted(done - {migration.version for migration in known})
    if newer:
        raise WarehouseError(
            f"the warehouse has migration {newer[-1]}, this version knows {len(known)}",
            str(warehouse.path),
            "use the newer version that wrote it",
        )
    missing = [migration for migration in known if migration.version not in done]
    if missing:
        warehouse.transaction(lambda connection: [_apply(connection, migration) for migration in missing])
    described = describing.put_comments(warehouse)
    _put_stable_views(warehouse)
    statistics.put(warehouse)
    if (missing or described) and done:
        # A changed table leaves its old inlined one behind. Flushed later, beside readers, it would vanish under them, and
        # a reader that has seen it fails until it attaches anew (DuckLake issue 1305).
        warehouse.transaction(lambda connection: connection.execute(compaction.FLUSH).fetchall())
    return [migration.version for migration in missing]


def _put_stable_views(warehouse: Warehouse) -> None:
    """Those of raw tables; a mart's come with the mart, which an older version may have left without a column."""
    from warehouse.dictionary import raw_tables  # here: it reads this module

    tables = [table.name for table in raw_tables()]
    if stable.stale(warehouse.connection, tables):
        warehouse.transaction(lambda connection: stable.put(connection, tables))


def applied(connection: duckdb.DuckDBPyConnection) -> set[int]:
    """Versions recorded in the warehouse; empty for a new one."""
    try:
        rows = connection.execute("SELECT version FROM lake.main.schema_migrations").fetchall()
    except duckdb.CatalogException:
        return set()
    return {row[0] for row in rows}


def _apply(connection: duckdb.DuckDBPyConnection, migration: Migration) -> None:
    connection.execute(migration.sql)
    connection.execute(
        "INSERT INTO schema_migrations VALUES (?, ?, now()::TIMESTAMP)", [migration.version, migration.name]
    )

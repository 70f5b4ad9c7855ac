"""Open a DuckDB connection with the lake attached: the one place that knows the ATTACH line and the engine's limits.

Many processes hold such a connection at once (stream, Dagster, dashboard, analysts). The catalog is a SQLite file in WAL
mode, so readers never block the writer; the data are Parquet files beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from warehouse import snapshots
from warehouse.errors import WarehouseBusyError, WarehouseError, WarehouseFullError, is_contention, is_full, is_full_at
from warehouse.extensions import load_extensions, quote_text

CATALOG_FILE = "catalog.sqlite"
DATA_DIRECTORY = "data"
LAKE = "lake"

# 4 GB, the limit of a connection that asks for no other.
_GIB_OF_DEFAULT = 3.7


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may use.

    Parameters
    ----------
    memory : str
        DuckDB's ``memory_limit``; above it DuckDB spills to the temporary directory.
    threads : int | None
        Worker threads; None leaves DuckDB's default (the number of cores).
    busy_timeout_ms : int
        How long SQLite waits for the catalog's lock, in milliseconds (design: 5,000 or more).
    inlined_rows : int
        Inserts below this row count stay in the catalog instead of becoming a Parquet file. At 100, offsets and signals
        stay while span batches become files: 1,500 commits took 20 ms each; at 5,000 every batch landed in SQLite (165 ms).
    turn_wait_s : float
        How long a writer waits for its turn, in seconds.
    retries : int
        Whole-transaction retries after a lock or a conflict: a writer that takes no turns, such as another DuckDB client.
    """

    memory: str = "4GB"
    threads: int | None = None
    busy_timeout_ms: int = 10_000
    inlined_rows: int = 100
    turn_wait_s: float = 120.0
    retries: int = 12


def ample_memory() -> str:
    """Return what a whole refresh may use: half of the memory of this machine, or of its control group, but 4 GB at least.

    Not all that a mart needs while it is computed from everything can be spilled: over 30 million spans `runs` failed with 4 GB.
    """
    with duckdb.connect() as fresh:  # which finds the memory, and by itself would take four fifths of it
        found = fresh.execute("SELECT current_setting('memory_limit')").fetchone()
    number, unit = (found[0] if found else "0 B").split()
    half = float(number) * 0.5 / 0.8
    return f"{half:.1f}{unit}" if unit == "TiB" or (unit == "GiB" and half > _GIB_OF_DEFAULT) else Limits().memory


def limits_of_refresh(threads: int | None = None) -> Limits:
    """Return what a refresh may use: :func:`ample_memory`, and marts as files alone.

    Where a table may have inlined rows, DuckLake looks for them whenever it is read, and first reads the whole catalog as it was
    when they were put there: 20 ms of CPU for each mart of a refresh.
    """
    return Limits(memory=ample_memory(), threads=threads, inlined_rows=0)


def connect(
    path: Path,
    *,
    read_only: bool,
    limits: Limits,
    as_of: int | datetime | None = None,
    catalog: Path | None = None,
) -> duckdb.DuckDBPyConnection:
    """DuckDB connection, in UTC, with the lake of directory `path` attached as ``lake`` and in use.

    Parameters
    ----------
    as_of : int | datetime | None
        The lake as of a snapshot, or of the last one by a moment (UTC without a zone); read only. None: always the newest.
    catalog : Path, optional
        Another catalog over the same data directory: a backup's.

    Raises
    ------
    WarehouseError
        If there is no warehouse to read, the catalog can't be attached, or no such snapshot is kept.
    """
    path = path.absolute()
    catalog = (catalog or path / CATALOG_FILE).absolute()
    if read_only and not catalog.is_file():
        raise WarehouseError("there is no warehouse", str(path), "run `plumbline stream` first, or check --home")
    if not read_only:
        (path / DATA_DIRECTORY).mkdir(parents=True, exist_ok=True)
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",  # a SELECT must never see the caller's Python variables
        "memory_limit": limits.memory,
        "temp_directory": str(path / "tmp"),
    }
    if limits.threads is not None:
        config["threads"] = limits.threads
    connection = duckdb.connect(":memory:", config=config)
    try:
        load_extensions(connection)
        connection.execute("SET TimeZone = 'UTC'")  # `as_of` is one of UTC
        # DuckDB draws one, on standard output, where Python runs no script: answers go there.
        connection.execute("SET enable_progress_bar = false")
        data = path / DATA_DIRECTORY
        connection.execute(attach_statement(catalog, data, read_only=read_only, limits=limits))
        if as_of is not None:
            snapshot = snapshots.find(connection, as_of)
            connection.execute(f"DETACH {LAKE}")
            connection.execute(attach_statement(catalog, data, read_only=True, limits=limits, snapshot_id=snapshot.id))
        enter(connection)
    except duckdb.Error as error:
        connection.close()
        if is_full(error) or is_full_at(str(error), path):
            todo = "free some space and start again"
            raise WarehouseFullError("the disk is full", str(path), todo) from error
        if is_contention(error):
            todo = f"look for a process that holds it and try again ({error})"
            raise WarehouseBusyError("the warehouse stayed locked", str(path), todo) from error
        raise WarehouseError(
            "the warehouse can't be opened", str(path), f"check the directory and its rights ({error})"
        ) from error
    except WarehouseError:
        connection.close()
        raise
    return connection


def enter(connection: duckdb.DuckDBPyConnection) -> None:
    """Have a connection of an instance with the lake attached use it, in UTC: each has this for itself."""
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"USE {LAKE}")


def attach_statement(
    catalog: Path, data: Path, *, read_only: bool, limits: Limits, snapshot_id: int | None = None
) -> str:
    """The ATTACH line that any DuckDB client can use too.

    ``OVERRIDE_DATA_PATH`` lets the directory be moved or mounted elsewhere: the files are found relative to it.
    """
    options = [
        f"DATA_PATH {quote_text(str(data) + '/')}",
        "OVERRIDE_DATA_PATH true",
        f"META_BUSY_TIMEOUT {limits.busy_timeout_ms}",
    ]
    if snapshot_id is not None:
        options.append(f"SNAPSHOT_VERSION {snapshot_id:d}")
    if read_only:
        options.append("READ_ONLY")
    else:
        options += ["META_JOURNAL_MODE 'WAL'", f"DATA_INLINING_ROW_LIMIT {limits.inlined_rows}"]
    return f"ATTACH {quote_text(f'ducklake:sqlite:{catalog}')} AS {LAKE} ({', '.join(options)})"

"""The door for analysts and dashboards: one SELECT at a time, on a connection that the engine itself has locked.

Two walls, because neither is enough alone (measured on DuckLake in DuckDB 1.5.5):

- The engine: catalog attached READ_ONLY, file access outside the lake's data off, configuration locked. Still let through:
  COPY into the data directory, CALL, CREATE TEMP TABLE, opening any SQLite file with ``sqlite_scan``, and deleting files
  with ``SELECT * FROM ducklake_cleanup_old_files(…)``.
- DuckDB's own parser: `warehouse.statements`.

Every way in that Plumbline serves (`plumbline sql`, exports, the Flight SQL server, the dashboard) goes through it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import polars as pl
import pyarrow as pa

from warehouse import snapshots
from warehouse.connection import DATA_DIRECTORY, Limits, connect
from warehouse.deadlines import Deadlines
from warehouse.errors import ResultTooLargeError, WarehouseError
from warehouse.extensions import quote_text
from warehouse.statements import check, first_line

# Rows that the engine hands over at a time: one of its own vectors, so that long texts are seen to be too many early.
_BATCH_ROWS = 2_048
_MIB = 1 << 20

_deadlines = Deadlines()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one statement may use.

    Parameters
    ----------
    memory_mb, spill_mb : int
        Memory of the engine, and what it may put on disk beyond that while the statement runs, in MiB.
    rows : int
        Rows of a result.
    result_mb : int
        Size of a result in memory, in MiB.
    seconds : float
        From its start to its last row.
    """

    memory_mb: int = 2048
    spill_mb: int = 4096
    rows: int = 5_000_000
    result_mb: int = 1024
    seconds: float = 300.0


class Reader:
    """A locked connection that answers SELECTs; keep one open for many questions.

    Parameters
    ----------
    path : Path
        Directory of the warehouse.
    limits : Limits | None
        Threads of its connection, and how long it waits for the catalog.
    bounds : Bounds | None
        What each statement may use.
    as_of : int | datetime | None
        Answer every statement as of this snapshot, or the last one by this moment (UTC without a zone). None: as of now.
    """

    def __init__(
        self,
        path: Path,
        *,
        limits: Limits | None = None,
        bounds: Bounds | None = None,
        as_of: int | datetime | None = None,
    ) -> None:
        self.path, self.bounds = Path(path), bounds or Bounds()
        self._turn = threading.Lock()
        self._connection = connect(self.path, read_only=True, limits=limits or Limits(), as_of=as_of)
        data = str(self.path.absolute() / DATA_DIRECTORY) + "/"
        for setting in (
            f"memory_limit = '{self.bounds.memory_mb}MiB'",
            f"max_temp_directory_size = '{self.bounds.spill_mb}MiB'",
            f"allowed_directories = [{quote_text(data)}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            self._connection.execute(f"SET {setting}")

    def select(self, sql: str, params: Sequence[Any] = ()) -> pl.DataFrame:
        """Rows of one SELECT.

        Parameters
        ----------
        sql : str
            Anything; what is not one plain SELECT is refused before it runs.
        params : sequence
            Values for its ``?`` marks.

        Raises
        ------
        StatementRefusedError
            If it is not one SELECT, or names what a reader may not use.
        ResultTooLargeError
            If it has more rows, or larger ones, than `bounds` allow.
        WarehouseError
            If it fails, or needs more memory or time.
        """
        with self.stream(sql, params) as batches:
            table = pa.Table.from_batches(list(batches), batches.schema)
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return frame

    @contextmanager
    def stream(self, sql: str, params: Sequence[Any] = ()) -> Iterator[Batches]:
        """Rows of one SELECT as they are computed, of column names that are distinct: a, a_1, a_2.

        The reader answers nothing else until the block is left. Raises what `select` raises.
        """
        with self._turn:
            late = threading.Event()
            try:
                check(self._connection, sql)
                with _deadlines.within(self.bounds.seconds, lambda: (late.set(), self._connection.interrupt())):
                    result = self._connection.execute(sql, list(params) or None).to_arrow_reader(_BATCH_ROWS)
                    with result:
                        yield Batches(result, self.bounds, late)
            except (duckdb.Error, pa.ArrowException, MemoryError) as error:
                raise self._told(error, late) from error

    def schema(self, sql: str, params: Sequence[Any] = ()) -> pa.Schema:
        """Names and types of the columns of one SELECT that is not run; values of its ``?`` marks may be left out.

        Raises what `select` raises.
        """
        with self._turn:
            try:
                check(self._connection, sql)
                marks = self._connection.extract_statements(sql)[0].named_parameters
                values = list(params) or (
                    [None] * len(marks) if all(mark.isdecimal() for mark in marks) else dict.fromkeys(marks)
                )
                relation = self._connection.sql(sql, params=values or None)
                return _distinct(relation.limit(0).to_arrow_table().schema)
            except (duckdb.Error, pa.ArrowException, MemoryError) as error:
                raise self._told(error) from error

    def snapshot(self) -> snapshots.Snapshot:
        """The snapshot that statements are answered from: the one it was opened at, else the newest."""
        with self._turn:
            return snapshots.current(self._connection)

    def _told(self, error: Exception, late: threading.Event | None = None) -> WarehouseError:
        bounds = self.bounds
        if late and late.is_set():
            return WarehouseError(
                f"the statement took longer than {bounds.seconds:g} s", "sql", "narrow it, or ask for fewer days"
            )
        line = first_line(error)
        if isinstance(error, (duckdb.OutOfMemoryException, MemoryError)) or "Out of Memory Error" in line:
            used = f"{bounds.memory_mb} MiB of memory and {bounds.spill_mb} MiB of disk"
            return WarehouseError(
                f"the statement needs more than {used}",
                "sql",
                "narrow it: fewer days, fewer columns, no cross join; or ask again when fewer others do",
            )
        return WarehouseError("the statement failed", "sql", line)

    def close(self) -> None:
        """Close the connection; later calls fail."""
        with self._turn:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Batches:
    """Record batches of one result, up to what its bounds allow.

    Attributes
    ----------
    schema : pyarrow.Schema
    rows : int
        Rows handed out so far.
    """

    def __init__(self, result: pa.RecordBatchReader, bounds: Bounds, late: threading.Event) -> None:
        self.schema, self.rows = _distinct(result.schema), 0
        self._result, self._bounds, self._late, self._bytes = result, bounds, late, 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """Each batch once; raises ResultTooLargeError at the first that goes beyond the bounds."""
        for batch in self._result:
            if self._late.is_set():  # the client took its time: the engine was idle, and nothing was interrupted
                raise WarehouseError(
                    f"the statement took longer than {self._bounds.seconds:g} s", "sql", "take its rows faster"
                )
            self.rows += batch.num_rows
            self._bytes += batch.nbytes
            if self.rows > self._bounds.rows:
                raise ResultTooLargeError(
                    f"the result has more than {self._bounds.rows:,} rows", "sql", "aggregate, or add a LIMIT"
                )
            if self._bytes > self._bounds.result_mb * _MIB:
                raise ResultTooLargeError(
                    f"the result is larger than {self._bounds.result_mb:,} MiB",
                    "sql",
                    "aggregate, or name fewer columns",
                )
            yield batch.rename_columns(self.schema.names)


def run_select(path: Path, sql: str, *, limits: Limits | None = None, bounds: Bounds | None = None) -> pl.DataFrame:
    """Rows of one SELECT on the warehouse in directory `path`; see `Reader.select` for what it raises."""
    with Reader(path, limits=limits, bounds=bounds) as reader:
        return reader.select(sql)


def _distinct(schema: pa.Schema) -> pa.Schema:
    seen: dict[str, int] = {}
    names: list[str] = []
    for name in schema.names:  # a frame needs distinct names
        count = seen[name] = seen.get(name, -1) + 1
        names.append(f"{name}_{count}" if count else name)
    return pa.schema([field.with_name(name) for field, name in zip(schema, names, strict=True)])

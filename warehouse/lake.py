"""The warehouse: one object per process that reads and writes the lake.

Where it stands: the stream writes span rows and consumed offsets through `Warehouse.transaction`; Dagster builds the marts
through it; dashboards and checks open it read-only. It knows nothing of Kafka, of detectors or of figures.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import duckdb
import polars as pl

from warehouse import compaction, marks, migrate
from warehouse.connection import CATALOG_FILE, Limits, connect, enter
from warehouse.errors import WarehouseBusyError, WarehouseError, WarehouseFullError, is_contention, is_full
from warehouse.held import HeldLog
from warehouse.turns import turn
from warehouse.upkeep import mark

T = TypeVar("T")

# Backoff before retry n: 20 ms doubled each time up to 2 s, with full jitter so that two writers do not meet again.
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.02, 2.0


class Warehouse:
    """A DuckLake warehouse; use `Warehouse.open`.

    Attributes
    ----------
    connection : duckdb.DuckDBPyConnection
        In UTC, with the lake attached as ``lake`` and in use. Not for use from several threads at once: `query`,
        `transaction` and `insert` take turns.
    writer : str
        Noted with each snapshot that it commits (`warehouse.snapshots`); '' notes nothing.
    log : marks.Log
        What snapshots changed, as far as it was told.
    give_up_at : float
        From this moment of the monotonic clock on, nobody waits for a turn or for a lock any more. Set it from a signal
        handler to end a process in time.
    """

    def __init__(
        self, path: Path, connection: duckdb.DuckDBPyConnection, *, read_only: bool, limits: Limits, writer: str = ""
    ) -> None:
        self.path, self.connection, self.is_read_only, self.limits = path, connection, read_only, limits
        self.writer, self.log = writer, marks.Log(connection)
        self._turn = threading.RLock()
        self._keeps_threads = False
        self._known_columns: dict[str, list[str]] = {}
        self._in_transaction = False
        self._noted_at = float("-inf")
        self.give_up_at = float("inf")
        self._log = HeldLog(path.absolute() / CATALOG_FILE)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        read_only: bool = False,
        limits: Limits | None = None,
        writer: str = "",
        as_of: int | datetime | None = None,
    ) -> Warehouse:
        """Warehouse in directory `path`; opening it for writing creates it and runs what migrations are missing.

        Parameters
        ----------
        writer : str
            Noted with each snapshot that it commits.
        as_of : int | datetime | None
            Read only: the warehouse as of this snapshot, or the last one by this moment (UTC without a zone).

        Raises
        ------
        WarehouseError
            If it can't be opened, was written by a newer version, is to be written as of an earlier moment, or its catalog is an
            earlier one than its files.
        """
        if as_of is not None and not read_only:
            raise WarehouseError("the past can't be written", str(path), "open it read_only")
        limits = limits or Limits()
        path = Path(path)
        if read_only:
            connection = connect(path, read_only=True, limits=limits, as_of=as_of)
            return cls(path, connection, read_only=True, limits=limits)
        with turn(path / "opening.lock", wait_s=limits.turn_wait_s):
            connection = connect(path, read_only=False, limits=limits)
            warehouse = cls(path, connection, read_only=False, limits=limits, writer=writer)
            try:
                with warehouse.on_one_thread():
                    warehouse._require_latest()
                    migrate.migrate(warehouse)
            except BaseException:
                warehouse.close()
                raise
        return warehouse

    def beside(self) -> Warehouse:
        """Another one of the same instance of DuckDB, for another thread: with a connection, and temporary tables, of its own.

        As long as there is one, the instance stays on the threads that it has.
        """
        connection = self.connection.cursor()
        enter(connection)
        other = Warehouse(self.path, connection, read_only=self.is_read_only, limits=self.limits, writer=self.writer)
        # To change them while a statement runs can leave DuckDB 1.5 waiting for ever.
        self._keeps_threads = other._keeps_threads = True
        return other

    def transaction(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """What `work` returns, committed; the whole of it is run again when a writer that takes no turns was in the way.

        Keep it short: the other writers of this warehouse wait until it ends.

        Parameters
        ----------
        work : callable
            Gets the connection inside a transaction. It may be called several times, so it must not have effects outside.

        Raises
        ------
        WarehouseBusyError
            If another writer kept its turn, or the catalog stayed locked through every retry.
        WarehouseFullError
            If the disk is full.
        WarehouseError
            If the warehouse is read-only, or a transaction is begun inside another.
        """
        if self.is_read_only:
            raise WarehouseError("a read-only warehouse can't be written", str(self.path), "open it without read_only")
        with self._turn:
            if self._in_transaction:
                raise WarehouseError("transaction inside a transaction", str(self.path), "use the connection given")
            self._in_transaction = True
            try:
                with turn(
                    self.path / "writing.lock", wait_s=self.limits.turn_wait_s, give_up_at=lambda: self.give_up_at
                ):
                    result = self._retried(work)
                    self._note()
                    return result
            finally:
                self._in_transaction = False

    def _require_latest(self) -> None:
        """Refuse to write by a catalog that does not know what was committed: its files would be taken for orphans."""
        noted, latest = mark.read(self.path), self.snapshot()
        if latest < noted:
            raise WarehouseError(
                f"the catalog is an earlier one: it ends at snapshot {latest:,}, and {noted:,} was committed",
                str(self.path),
                "put the latest catalog back, or see what `plumbline doctor --repair` would do",
            )

    def _note(self) -> None:
        """Note now and then how far the lake has come; in the writer's turn, so that the note never goes back."""
        now = time.monotonic()
        if now - self._noted_at >= mark.EVERY_S:
            self._noted_at = now
            with suppress(duckdb.Error):  # the transaction is committed, whatever becomes of the note
                mark.note(self.path, self.snapshot())

    def keep_log(self) -> None:
        """Keep the catalog's log until `close`: for a process that works beside others for long. See `warehouse.held`."""
        with self._turn:
            self._log.hold(self.connection)

    def snapshot(self) -> int:
        """Id of the latest snapshot."""
        row = self.connection.execute("SELECT id FROM ducklake_current_snapshot('lake')").fetchone()
        return row[0] if row else -1

    @contextmanager
    def reading(self) -> Iterator[int]:
        """Work on one snapshot of the lake, whose id it yields, whatever others commit meanwhile; nobody waits for it.

        The lake finds its latest snapshot once, not for each statement. Tables may be made outside the lake, and stay.

        Raises
        ------
        WarehouseError
            If it is begun inside a transaction.
        """
        with self._turn:
            if self._in_transaction:
                raise WarehouseError("reading inside a transaction", str(self.path), "read by its connection")
            self._in_transaction = True
            try:
                self.connection.execute("BEGIN TRANSACTION")
                yield self.snapshot()
                self.connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._in_transaction = False

    @contextmanager
    def on_all_threads(self) -> Iterator[None]:
        """Work on as many threads as the limits allow while it lasts, where the connection has been set to fewer."""
        with self._on_threads(self.limits.threads or os.cpu_count() or 1):
            yield

    @contextmanager
    def on_one_thread(self) -> Iterator[None]:
        """Work on one thread while it lasts.

        Over few rows a second thread doubles the processor's time and saves none: DuckDB wakes it for every statement.
        """
        with self._on_threads(1):
            yield

    @contextmanager
    def _on_threads(self, number: int) -> Iterator[None]:
        if self._keeps_threads:
            yield
            return
        row = self.connection.execute("SELECT current_setting('threads')").fetchone()
        before = row[0] if row else 1
        self.connection.execute(f"SET threads = {number:d}")
        try:
            yield
        finally:
            # By a connection beside: a transaction in which something failed takes no statement, and would hide what it was.
            with self.connection.cursor() as beside:
                beside.execute(f"SET threads = {before:d}")

    def _retried(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        wait = _FIRST_WAIT_S
        for attempt in range(self.limits.retries + 1):
            try:
                self.connection.execute("BEGIN TRANSACTION")
                if self.writer:
                    self.connection.execute("CALL lake.set_commit_message(?, NULL)", [self.writer])
                result = work(self.connection)
                self.connection.execute("COMMIT")
                return result
            except BaseException as error:
                self._roll_back()
                if is_full(error):
                    raise WarehouseFullError(
                        "the disk is full",
                        str(self.path),
                        "nothing of this transaction was written: free some space and start again",
                    ) from error
                if not is_contention(error):
                    raise
                if attempt == self.limits.retries or time.monotonic() > self.give_up_at:
                    raise WarehouseBusyError(
                        "the warehouse stayed locked",
                        str(self.path),
                        f"nothing was written; look for a process that holds it and try again ({error})",
                    ) from error
            time.sleep(random.uniform(wait / 2, wait))
            wait = min(2 * wait, _LONGEST_WAIT_S)
        raise AssertionError("unreachable")

    def _roll_back(self) -> None:
        with suppress(duckdb.Error):  # a failed COMMIT has ended the transaction already
            self.connection.execute("ROLLBACK")

    def insert(self, connection: duckdb.DuckDBPyConnection, table: str, frame: pl.DataFrame) -> int:
        """Number of rows inserted into `table`, columns matched by name; those `frame` lacks become null.

        Raises
        ------
        WarehouseError
            If the table is not there, or `frame` has a column that it has not.
        """
        columns = self._known_columns.get(table) or self._columns(connection, table)
        self._known_columns[table] = columns
        unknown = [name for name in frame.columns if name not in columns]
        if not columns or unknown:
            what = f"columns {unknown} are not in the table" if columns else "no such table"
            raise WarehouseError(what, f"table {table}", "add a migration for it in warehouse/migrations")
        if frame.is_empty():
            return 0
        connection.register("incoming_rows", frame.to_arrow())
        try:
            connection.execute(f'INSERT INTO "{table}" BY NAME SELECT * FROM incoming_rows')  # noqa: S608 - a table that is there
        finally:
            connection.unregister("incoming_rows")
        return frame.height

    def _columns(self, connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
        rows = connection.execute(
            "SELECT column_name FROM duckdb_columns() WHERE database_name = 'lake' AND table_name = ?", [table]
        ).fetchall()
        return [row[0] for row in rows]

    def query(self, sql: str, params: Sequence[Any] = ()) -> pl.DataFrame:
        """Rows of a trusted statement; untrusted ones go through `warehouse.run_select`."""
        with self._turn:
            result = self.connection.execute(sql, list(params)) if params else self.connection.execute(sql)
            return result.pl()

    def compact(self) -> dict[str, int]:
        """Merge small files, drop old snapshots and their files: see `warehouse.compaction.compact`."""
        return compaction.compact(self)

    def close(self) -> None:
        """Close the connection; later calls fail."""
        with self._turn:
            self._log.release()
            if self._noted_at > float("-inf"):  # it has written
                with suppress(duckdb.Error):
                    mark.note(self.path, max(self.snapshot(), mark.read(self.path)))
            self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_only(path: Path, *, limits: Limits | None = None, as_of: int | datetime | None = None) -> Warehouse:
    """Warehouse in directory `path`, attached read-only, as of now or of a snapshot or moment: for dashboards and checks."""
    return Warehouse.open(path, read_only=True, limits=limits, as_of=as_of)

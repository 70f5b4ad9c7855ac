"""The door for analysts and dashboards: one SELECT at a time, on a connection that the engine itself has locked.

Two walls, because neither is enough alone (measured on DuckLake in DuckDB 1.5.5):

- The engine: catalog attached READ_ONLY, file access outside the lake's data off, configuration locked. Still let through:
  COPY into the data directory, CALL, CREATE TEMP TABLE, opening any SQLite file with ``sqlite_scan``, and deleting files
  with ``SELECT * FROM ducklake_cleanup_old_files(…)``.
- DuckDB's own parser: exactly one statement, typed SELECT, whose syntax tree names only table functions of a short list
  and only relations that exist. No text is matched, so comments, case and quoting change nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import polars as pl

from warehouse.connection import DATA_DIRECTORY, Limits, connect
from warehouse.errors import StatementRefusedError, WarehouseError
from warehouse.extensions import quote_text
from warehouse.syntax import functions_read, syntax_tree, tables_read

# Table functions that neither change anything nor open a file of the caller's choice.
TABLE_FUNCTIONS = frozenset(
    {
        "ducklake_current_snapshot",
        "ducklake_options",
        "ducklake_snapshots",
        "ducklake_table_changes",
        "ducklake_table_deletions",
        "ducklake_table_info",
        "ducklake_table_insertions",
        "duckdb_columns",
        "duckdb_functions",
        "duckdb_keywords",
        "duckdb_tables",
        "duckdb_types",
        "duckdb_views",
        "generate_series",
        "histogram",
        "histogram_values",
        "json_each",
        "json_tree",
        "pg_timezone_names",
        "pragma_table_info",
        "range",
        "repeat",
        "unnest",
    }
)

_ASK = "write one SELECT"
_RELATIONS = "SELECT table_name FROM duckdb_tables() UNION SELECT view_name FROM duckdb_views()"


class Reader:
    """A locked connection that answers SELECTs; keep one open for many questions.

    Parameters
    ----------
    path : Path
        Directory of the warehouse.
    limits : Limits | None
        Memory and threads of its connection.
    timeout_s : float
        A statement is stopped after this many seconds.
    """

    def __init__(self, path: Path, *, limits: Limits | None = None, timeout_s: float = 300.0) -> None:
        self.path, self.timeout_s = Path(path), timeout_s
        self._turn = threading.Lock()
        self._connection = connect(self.path, read_only=True, limits=limits or Limits())
        data = str(self.path.absolute() / DATA_DIRECTORY) + "/"
        self._connection.execute(f"SET allowed_directories = [{quote_text(data)}]")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

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
        WarehouseError
            If it fails or takes longer than `timeout_s`.
        """
        with self._turn:
            self._check(sql)
            late = threading.Event()
            timer = threading.Timer(self.timeout_s, lambda: (late.set(), self._connection.interrupt()))
            timer.start()
            try:
                return _frame(self._connection.execute(sql, list(params) or None))
            except duckdb.Error as error:
                if late.is_set():
                    raise WarehouseError(
                        f"the statement took longer than {self.timeout_s:g} s",
                        "sql",
                        "narrow it, or ask for fewer days",
                    ) from error
                raise WarehouseError("the statement failed", "sql", _first_line(error)) from error
            finally:
                timer.cancel()

    def _check(self, sql: str) -> None:
        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as error:
            raise WarehouseError("the statement can't be read", "sql", _first_line(error)) from error
        if len(statements) != 1:
            raise StatementRefusedError(f"{len(statements)} statements", "sql", _ASK)
        if statements[0].type != duckdb.StatementType.SELECT:
            raise StatementRefusedError(f"{statements[0].type.name} is not allowed", "sql", _ASK)
        tree = syntax_tree(self._connection, sql)
        if tree is None:  # PRAGMA is typed SELECT too, but has no syntax tree of one
            raise StatementRefusedError("not a plain SELECT", "sql", _ASK)
        forbidden = sorted(functions_read(tree) - TABLE_FUNCTIONS)
        if forbidden:
            raise StatementRefusedError(f"table function {forbidden[0]} is not allowed", "sql", "read from the tables")
        known = {str(row[0]).lower() for row in self._connection.execute(_RELATIONS).fetchall()}
        unknown = sorted(tables_read(tree) - known)
        if unknown:
            raise WarehouseError(f"there is no table {unknown[0][:80]!r}", "sql", "SHOW TABLES lists what there is")

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


def run_select(path: Path, sql: str, *, limits: Limits | None = None, timeout_s: float = 300.0) -> pl.DataFrame:
    """Rows of one SELECT on the warehouse in directory `path`; see `Reader.select` for what it raises."""
    with Reader(path, limits=limits, timeout_s=timeout_s) as reader:
        return reader.select(sql)


def _frame(result: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    table = result.to_arrow_table()
    seen: dict[str, int] = {}
    names: list[str] = []
    for name in table.column_names:  # a frame needs distinct names: a, a_1, a_2
        count = seen[name] = seen.get(name, -1) + 1
        names.append(f"{name}_{count}" if count else name)
    frame = pl.from_arrow(table.rename_columns(names))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]

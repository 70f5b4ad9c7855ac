"""What a reader may ask: one SELECT, by DuckDB's own parser, that names only functions and relations of a short list.

No text is matched, so comments, case, quoting and homoglyphs change nothing: what is judged is the syntax tree that the engine
would run. The engine's own locks (`warehouse.reader`) stand behind it.
"""

from __future__ import annotations

import re

import duckdb

from warehouse.errors import StatementRefusedError, WarehouseError
from warehouse.syntax import Node, common_tables, functions_called, functions_read, syntax_tree, tables_read

#: Table functions that neither change anything nor open a file, a table or a statement of the caller's naming.
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
        "json_each",
        "json_tree",
        "pg_timezone_names",
        "pragma_table_info",
        "range",
        "repeat",
        "unnest",
    }
)

#: Functions of values that do more than answer: they write the engine's log, move a sequence, change what later statements
#: of the connection answer, hold it up, or bind a statement given as text.
REFUSED_FUNCTIONS = frozenset(
    {"currval", "getenv", "json_serialize_plan", "nextval", "setseed", "sleep_ms", "stats", "write_log"}
)

_ASK = "write one SELECT"
_RELATIONS = "SELECT table_name FROM duckdb_tables() UNION SELECT view_name FROM duckdb_views()"
# A name of WITH that could be a file elsewhere in the statement, where the WITH is out of scope.
_PLAIN_NAME = re.compile(r"[\w $-]+")


def check(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Return only if `sql` is one plain SELECT that a reader may run on `connection`.

    Raises
    ------
    StatementRefusedError
        If it is another statement, several, or names what a reader may not use.
    WarehouseError
        If it can't be read, or names a table that is not there.
    duckdb.OutOfMemoryException
        The process has no memory left to read it.
    """
    if "\0" in sql:  # the engine's parser and what runs it need not agree on where such a text ends
        raise StatementRefusedError("a NUL character in the statement", "sql", "leave it out")
    try:
        statements = connection.extract_statements(sql)
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.Error, UnicodeError) as error:
        raise WarehouseError("the statement can't be read", "sql", first_line(error)) from error
    if len(statements) != 1:
        raise StatementRefusedError(f"{len(statements)} statements", "sql", _ASK)
    if statements[0].type != duckdb.StatementType.SELECT:
        raise StatementRefusedError(f"{statements[0].type.name} is not allowed", "sql", _ASK)
    tree = syntax_tree(connection, sql)
    if tree is None:  # PRAGMA is typed SELECT too, but has no syntax tree of one
        raise StatementRefusedError("not a plain SELECT", "sql", _ASK)
    _check_functions(tree)
    if odd := sorted(name for name in common_tables(tree) if not _PLAIN_NAME.fullmatch(name)):
        raise StatementRefusedError(f"WITH {odd[0][:80]!r} is no plain name", "sql", "name it by letters and digits")
    known = {str(row[0]).lower() for row in connection.execute(_RELATIONS).fetchall()}
    if unknown := sorted(tables_read(tree) - known):
        raise WarehouseError(f"there is no table {unknown[0][:80]!r}", "sql", "SHOW TABLES lists what there is")


def _check_functions(tree: Node) -> None:
    if forbidden := sorted(functions_read(tree) - TABLE_FUNCTIONS):
        raise StatementRefusedError(f"table function {forbidden[0][:80]} is not allowed", "sql", "read from the tables")
    if forbidden := sorted(functions_called(tree) & REFUSED_FUNCTIONS):
        raise StatementRefusedError(f"function {forbidden[0]} is not allowed", "sql", "leave it out")


def first_line(error: Exception) -> str:
    """What the engine says, without the lines that draw it."""
    return str(error).strip().split("\n")[0]

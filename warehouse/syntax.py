"""The syntax tree that DuckDB's own parser makes of a SELECT: what the reader checks, and how models name what they read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

Node = dict[str, Any]


def syntax_tree(connection: duckdb.DuckDBPyConnection, sql: str) -> Node | None:
    """Tree of `sql`, or None if it is not one SELECT, or nested deeper than anything asked in earnest."""
    try:
        row = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
        tree = json.loads(row[0]) if row else {}
    except duckdb.OutOfMemoryException:  # says nothing of the statement
        raise
    except (duckdb.Error, RecursionError):
        return None
    return tree if not tree.get("error") and len(tree.get("statements", ())) == 1 else None


def nodes(tree: Node) -> Iterator[Node]:
    """Every node of the tree, in no particular order."""
    todo: list[Any] = [tree]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            yield value
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)


def common_tables(tree: Node) -> set[str]:
    """Names that the statement defines itself with WITH, in lower case."""
    names: set[str] = set()
    for node in nodes(tree):
        names |= {str(entry["key"]).lower() for entry in (node.get("cte_map") or {}).get("map") or []}
        if node.get("cte_name"):
            names.add(str(node["cte_name"]).lower())
    return names


def tables_read(tree: Node) -> set[str]:
    """Names of tables and views read, in lower case, those defined by WITH left out."""
    read = {str(node.get("table_name")).lower() for node in nodes(tree) if node.get("type") == "BASE_TABLE"}
    return read - common_tables(tree)


def functions_read(tree: Node) -> set[str]:
    """Names of table functions in FROM, in lower case; '?' for one without a plain name."""
    return {
        str((node.get("function") or {}).get("function_name") or "?").lower()
        for node in nodes(tree)
        if node.get("type") == "TABLE_FUNCTION"
    }


def functions_called(tree: Node) -> set[str]:
    """Names of scalar and aggregate functions and operators, in lower case."""
    return {str(node.get("function_name") or "").lower() for node in nodes(tree) if node.get("class") == "FUNCTION"}

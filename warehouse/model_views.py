"""Put the views of the models into the lake: those that are missing, or were written by another version."""

from __future__ import annotations

import re

import duckdb

from warehouse.extensions import quote_text
from warehouse.headers import Relation
from warehouse.lake import Warehouse
from warehouse.registry import models, names, upstream, version, views_of

_MARK = re.compile(r" \[model [0-9a-f]{12}\]$")


def put_views_of(warehouse: Warehouse, name: str) -> None:
    """Create those views that the mart reads."""
    _put(warehouse, views_of(name))


def put_live_views(warehouse: Warehouse) -> None:
    """Create the views that read raw tables only: they answer before the first refresh, and always with the latest rows.

    Views of an earlier version whose model is gone are dropped: they would answer by its rules, or no more. Only those that
    carry a model's mark are ours; anybody else's stay.
    """
    marts = set(names())
    _put(warehouse, [model for model in models().values() if model.kind == "view" and not upstream(model.name) & marts])
    gone = [
        name for name, comment in _stored_views(warehouse).items() if name not in models() and _MARK.search(comment)
    ]
    if gone:
        warehouse.transaction(lambda connection: [_drop_view(connection, name) for name in gone])


def _stored_views(warehouse: Warehouse) -> dict[str, str]:
    """Comments of the lake's views."""
    stored = "SELECT view_name, coalesce(comment, '') FROM duckdb_views() WHERE database_name = 'lake' AND schema_name = 'main'"
    return dict(warehouse.connection.execute(stored).fetchall())


def _drop_view(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    quoted = name.replace('"', '""')
    connection.execute(f'DROP VIEW IF EXISTS lake.main."{quoted}"')


def _put(warehouse: Warehouse, views: list[Relation]) -> None:
    """Create those views that are missing or were written by another version."""
    if not views:
        return
    stored = _stored_views(warehouse)
    for view in views:
        mark = f"{view.notes[0]} [model {version(view.name)}]"
        if stored.get(view.name) != mark:
            warehouse.transaction(lambda connection, view=view, mark=mark: _put_view(connection, view, mark))


def _put_view(connection: duckdb.DuckDBPyConnection, view: Relation, mark: str) -> None:
    connection.execute(f'CREATE OR REPLACE VIEW lake.main."{view.name}" AS {view.sql}')
    connection.execute(f'COMMENT ON VIEW lake.main."{view.name}" IS {quote_text(mark)}')

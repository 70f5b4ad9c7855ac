"""Build the marts: one SQL file each, in the order in which they read one another.

A mart is computed first, into a table outside the lake, and only its rows are written in a transaction: the stream does not
wait while it is computed. Readers see the old mart until the new one is committed. Of a mart that is incremental only the rows
of runs that changed since its last build are computed (`warehouse.incremental`); the result is the same.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from pathlib import Path

import duckdb

from warehouse import describing, incremental, queries, stable
from warehouse.errors import WarehouseError
from warehouse.extensions import quote_text
from warehouse.headers import Relation, read_model
from warehouse.lake import Warehouse
from warehouse.syntax import syntax_tree, tables_read

MODELS = Path(__file__).parent / "models"
_COMPUTED = "memory.main.computed_mart"
_MARK = re.compile(r" \[model [0-9a-f]{12}\]$")


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did.

    Attributes
    ----------
    rows : int
        Rows that the mart holds now.
    days : dict[date, int]
        Of a mart by day, the days that were computed, in order, with their rows; empty for others, and where nothing changed.
    """

    rows: int
    days: dict[date, int] = field(default_factory=dict)


@cache
def models() -> dict[str, Relation]:
    """Views and marts by name, each after those that it reads."""
    found = {file.stem: read_model(file) for file in sorted(MODELS.glob("*/*.sql"))}
    order: dict[str, Relation] = {}

    def visit(name: str, path: tuple[str, ...] = ()) -> None:
        if name in path:
            raise WarehouseError("models read one another in a circle", " → ".join([*path, name]), "break it")
        if name not in order:
            for upstream in sorted(_read(found[name].sql) & found.keys()):
                visit(upstream, (*path, name))
            order[name] = found[name]

    for name in found:
        visit(name)
    return order


def names() -> list[str]:
    """The marts, each after those that it reads."""
    return [name for name, model in models().items() if model.kind == "mart"]


def upstream(name: str) -> set[str]:
    """Tables and marts that a mart reads, itself or through views."""
    found: set[str] = set()
    for relation in _read(models()[name].sql):
        model = models().get(relation)
        found |= upstream(relation) if model is not None and model.kind == "view" else {relation}
    return found


def kept_since(warehouse: Warehouse, name: str) -> date | None:
    """First day of which retention left the mart, and all that it reads directly or not, whole; None when all is."""
    read, found = [name], {name}
    while read:
        new = (upstream(table) if (table := read.pop()) in names() else set()) - found
        read += new
        found |= new
    kept = "SELECT max(kept_since) FROM retention WHERE list_contains(?::VARCHAR[], table_name)"
    return warehouse.query(kept, [sorted(found)]).item()


def by_day() -> list[str]:
    """The marts each of whose rows follows from the runs that start on its day, so that days can be computed by themselves."""
    return [name for name in names() if models()[name].incremental == "date"]


def build(warehouse: Warehouse, name: str, *, whole: bool = False, days: tuple[date, date] | None = None) -> Built:
    """Compute the mart anew, put its rows in place of the old ones, and say how many there are.

    Rows of a period before :func:`kept_since` can't be computed again: they are kept as the last build left them, under
    their key, so that neither a remainder of what was deleted nor a late delivery takes their place.

    Parameters
    ----------
    whole : bool
        Compute all of it, also where only some runs changed.
    days : tuple of date, optional
        First and last of the days to compute, changed or not, and no others; of a mart :func:`by_day` only. What changed of
        other days stays for the next build without them. A mart that was never built, or by another version of its model, is
        computed whole all the same.

    Raises
    ------
    WarehouseError
        If there is no such mart, or one that it reads has not been built, or the days can't be computed by themselves.
    """
    if name not in names():
        raise WarehouseError(
            f"there is no mart {name!r}", "warehouse/models/marts", f"choose from {', '.join(names())}"
        )
    mart = models()[name]
    if days is not None:
        _require_days(warehouse, name, *days)
    try:
        _put_views(warehouse, name)
        snapshot = warehouse.query("SELECT max(id) FROM ducklake_current_snapshot('lake')").item()
        keyed = {table: found for table in upstream(name) if "run_id" in (found := _columns()[table])}
        since = _built_from(warehouse, name) if days or (mart.incremental and not whole) else None
        if days and since is not None:
            # The mark stays: by it the next build finds what else has changed, and runs that left these days for others.
            return _update(warehouse, mart, keyed, incremental.find_days(warehouse, *days), since)
        others = upstream(name) - keyed.keys()
        affected = (
            None if since is None else incremental.find_affected(warehouse, mart, set(keyed), others, since, snapshot)
        )
        if affected is not None:
            return _update(warehouse, mart, keyed, affected, snapshot)
        warehouse.connection.execute(f"CREATE OR REPLACE TABLE {_COMPUTED} AS {mart.sql}")
        if mart.incremental == "date":
            _note_all_days(warehouse, name)
        _carry_over(warehouse, mart)
        found = _days_computed(warehouse, mart)
        return Built(warehouse.transaction(lambda connection: _replace(connection, name, snapshot)), found)
    except duckdb.CatalogException as error:
        reads = ", ".join(sorted(upstream(name) & set(names())))
        raise WarehouseError(
            f"mart {name} can't be built", str(warehouse.path), f"build {reads} first ({error})"
        ) from error
    finally:
        for table in (_COMPUTED, incremental.AFFECTED, incremental.DAYS):
            warehouse.connection.execute(f"DROP TABLE IF EXISTS {table}")


def _require_days(warehouse: Warehouse, name: str, first: date, last: date) -> None:
    if name not in by_day():
        raise WarehouseError(
            f"mart {name} can't be computed by days", "warehouse/models/marts", f"choose from {', '.join(by_day())}"
        )
    if last < first:
        raise WarehouseError(f"no days from {first} to {last}", f"mart {name}", "give the earlier day first")
    since = kept_since(warehouse, name)
    if since is not None and f"{first}" < f"{since:%Y-%m-%d}":
        raise WarehouseError(
            f"mart {name} can't be computed from {first} on",
            str(warehouse.path),
            f"begin at {since:%Y-%m-%d}: retention deleted rows that earlier days are made of",
        )


def _note_all_days(warehouse: Warehouse, name: str) -> None:
    """Fill `incremental.DAYS` with those of the computed mart, and of the one that it takes the place of."""
    before = "" if _built_from(warehouse, name) is None else f' UNION SELECT date FROM lake.main."{name}"'  # noqa: S608 - our names
    warehouse.connection.execute(
        f"CREATE OR REPLACE TABLE {incremental.DAYS} AS SELECT date FROM {_COMPUTED}{before}"  # noqa: S608 - our names
    )


def _days_computed(warehouse: Warehouse, mart: Relation) -> dict[date, int]:
    """Rows of what was computed, by day; of days that were kept as they were there is nothing to say."""
    if mart.incremental != "date":
        return {}
    since = kept_since(warehouse, mart.name)
    return dict(warehouse.connection.execute(queries.sql("rows_of_days"), {"since": since}).fetchall())


@cache
def _columns() -> dict[str, set[str]]:
    """Names of the columns of each raw table and model."""
    from warehouse.dictionary import raw_tables  # here: it reads the models too

    return {relation.name: set(relation.columns) for relation in [*raw_tables(), *models().values()]}


def _built_from(warehouse: Warehouse, name: str) -> int | None:
    """Snapshot that the mart was computed from; None when it is not there, or was computed by another version of its model."""
    comment = warehouse.query(queries.sql("comment_of_table"), [name])
    found = re.search(r"\[model (\w+)\] \[snapshot (\d+)\]$", comment.item() or "" if comment.height else "")
    return int(found[2]) if found and found[1] == _version(name) else None


def _update(
    warehouse: Warehouse, mart: Relation, keyed: dict[str, set[str]], affected: incremental.Affected, snapshot: int
) -> Built:
    """Compute the affected rows, and put them in place of those that the mart holds of these runs, or of these days."""
    with incremental.narrowed(warehouse, keyed if affected.is_few else {}, affected):
        warehouse.connection.execute(f"CREATE OR REPLACE TABLE {_COMPUTED} AS {mart.sql}")
    if not affected.is_few:
        others = f"date NOT IN (SELECT date FROM {incremental.DAYS})"  # noqa: S608 - our name
        warehouse.connection.execute(f"DELETE FROM {_COMPUTED} WHERE {others}")  # noqa: S608 - our names
    since = kept_since(warehouse, mart.name)
    kept = "true" if since is None else f"coalesce(\"{mart.period}\" >= DATE '{since:%Y-%m-%d}', true)"
    if since is not None:
        _leave_out(warehouse, mart, since)
    table = f'lake.main."{mart.name}"'
    found = _days_computed(warehouse, mart)

    def replace(connection: duckdb.DuckDBPyConnection) -> int:
        by = mart.incremental
        again = f"SELECT {by} FROM {incremental.AFFECTED if by == 'run_id' else incremental.DAYS}"  # noqa: S608 - our names
        early = affected.narrow(mart.columns.keys())
        connection.execute(f"DELETE FROM {table} WHERE {by} IN ({again}) AND {kept}{early}")  # noqa: S608 - our names
        connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM {_COMPUTED}")  # noqa: S608 - our names
        connection.execute(f"COMMENT ON TABLE {table} IS {_mark(mart, snapshot)}")
        stable.put(connection, [mart.name])
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - our name
        return row[0] if row else 0

    return Built(warehouse.transaction(replace), found)


def _carry_over(warehouse: Warehouse, mart: Relation) -> None:
    """Put the old mart's rows of periods that are gone in place of what could be computed of them."""
    since = kept_since(warehouse, mart.name) if mart.period else None
    if since is None:
        return
    columns = _leave_out(warehouse, mart, since)
    if columns:
        warehouse.connection.execute(
            f'INSERT INTO {_COMPUTED} BY NAME SELECT {columns} FROM lake.main."{mart.name}" '  # noqa: S608 - our names
            f'WHERE "{mart.period}" < ?',
            [since],
        )


def _leave_out(warehouse: Warehouse, mart: Relation, since: date) -> str:
    """Delete from what was computed the rows of periods before `since`, and those of a run of which the old mart has one.

    Returns
    -------
    str
        Columns that the old mart has as well, quoted and with commas; '' where there is none.
    """
    gone = f'"{mart.period}" < ?'
    warehouse.connection.execute(f"DELETE FROM {_COMPUTED} WHERE {gone}", [since])  # noqa: S608 - our names
    describe = "SELECT column_name FROM duckdb_columns() WHERE database_name = ? AND table_name = ?"
    old = warehouse.query(describe, ["lake", mart.name])["column_name"].to_list()
    columns = ", ".join(f'"{column}"' for column in old if column in mart.columns)
    if columns:
        same = " AND ".join(f'c."{key}" IS NOT DISTINCT FROM k."{key}"' for key in mart.grain.split(", "))
        warehouse.connection.execute(
            f'DELETE FROM {_COMPUTED} AS c USING lake.main."{mart.name}" AS k WHERE k.{gone} AND {same}',  # noqa: S608 - our names
            [since],
        )
    return columns


def _replace(connection: duckdb.DuckDBPyConnection, name: str, snapshot: int) -> int:
    """Put the computed rows in place of all that the mart held."""
    connection.execute(f'CREATE OR REPLACE TABLE lake.main."{name}" AS SELECT * FROM {_COMPUTED}')  # noqa: S608 - our names
    connection.execute(f'COMMENT ON TABLE lake.main."{name}" IS {_mark(models()[name], snapshot)}')
    describing.comment_columns(connection, models()[name])
    stable.put(connection, [name])
    row = connection.execute(f"SELECT count(*) FROM {_COMPUTED}").fetchone()  # noqa: S608 - our name
    return row[0] if row else 0


def _mark(mart: Relation, snapshot: int) -> str:
    """The mart's comment: what it is, by which model, and which snapshot of the lake it comes from, or a later one."""
    return quote_text(f"{describing.comment_of(mart)} [model {_version(mart.name)}] [snapshot {snapshot}]")


@cache
def _version(name: str) -> str:
    """Of a model and of the views that it reads."""
    sql = "".join(view.sql for view in [*_views(name), models()[name]])
    return hashlib.sha256(sql.encode()).hexdigest()[:12]


def _put_views(warehouse: Warehouse, name: str) -> None:
    """Create those views that the mart reads."""
    _put(warehouse, _views(name))


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
    stored = _stored_views(warehouse)
    for view in views:
        mark = f"{view.notes[0]} [model {_version(view.name)}]"
        if stored.get(view.name) != mark:
            warehouse.transaction(lambda connection, view=view, mark=mark: _put_view(connection, view, mark))


def _put_view(connection: duckdb.DuckDBPyConnection, view: Relation, mark: str) -> None:
    connection.execute(f'CREATE OR REPLACE VIEW lake.main."{view.name}" AS {view.sql}')
    connection.execute(f'COMMENT ON VIEW lake.main."{view.name}" IS {quote_text(mark)}')


def _views(name: str) -> list[Relation]:
    """The views that a model reads, each after those that it reads itself."""
    found: list[Relation] = []
    for relation, model in models().items():
        if model.kind == "view" and relation in _read(models()[name].sql):
            found += [*_views(relation), model]
    return list({view.name: view for view in found}.values())


@cache
def _read(sql: str) -> frozenset[str]:
    with duckdb.connect() as connection:
        tree = syntax_tree(connection, sql)
    if tree is None:
        raise WarehouseError("a model is not one SELECT", sql[:60], "mend its file in warehouse/models")
    return frozenset(tables_read(tree))

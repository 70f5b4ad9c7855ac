"""What models there are: the views and marts of ``warehouse/models``, what each reads, and by which version of its text."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import duckdb

from warehouse.errors import WarehouseError
from warehouse.headers import Relation, read_model
from warehouse.syntax import syntax_tree, tables_read

MODELS = Path(__file__).parent / "models"


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


def by_day() -> list[str]:
    """The marts each of whose rows follows from the runs that start on its day, so that days can be computed by themselves."""
    return [name for name in names() if models()[name].incremental == "date"]


def views_of(name: str) -> list[Relation]:
    """The views that a model reads, each after those that it reads itself."""
    found: list[Relation] = []
    for relation, model in models().items():
        if model.kind == "view" and relation in _read(models()[name].sql):
            found += [*views_of(relation), model]
    return list({view.name: view for view in found}.values())


@cache
def version(name: str) -> str:
    """Of a model, what its header says of its columns among it, and of the views that it reads."""
    model = models()[name]
    said = [*(view.sql for view in views_of(name)), model.sql, *model.notes, *model.columns, *model.columns.values()]
    return hashlib.sha256("\0".join(said).encode()).hexdigest()[:12]


@cache
def _read(sql: str) -> frozenset[str]:
    tree = syntax_tree(_parser().cursor(), sql)
    if tree is None:
        raise WarehouseError("a model is not one SELECT", sql[:60], "mend its file in warehouse/models")
    return frozenset(tables_read(tree))


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """One instance for all models: to open it costs more than to parse them."""
    return duckdb.connect(config={"threads": 1})

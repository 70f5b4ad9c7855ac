"""Dialects as data: which attribute key fills which canonical column, and which value means which kind of span."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl

_HERE = Path(__file__).parent


@cache
def span_aliases() -> pl.DataFrame:
    """Return ``aliases.csv``: column, dialect, key (``N`` is an index), priority (the least wins), type."""
    return pl.read_csv(_HERE / "aliases.csv", comment_prefix="#")


@cache
def event_aliases() -> dict[str, pl.DataFrame]:
    """Return ``event_aliases.csv`` by event name: column, key, priority, type."""
    table = pl.read_csv(_HERE / "event_aliases.csv", comment_prefix="#")
    return {str(name): part.drop("event") for (name,), part in table.group_by("event", maintain_order=True)}


@cache
def kinds() -> dict[str, dict[str, str]]:
    """Return ``kinds.csv``: classifying column, then lower-case value, to kind of span."""
    table = pl.read_csv(_HERE / "kinds.csv", comment_prefix="#")
    columns: dict[str, dict[str, str]] = {}
    for column, value, kind in table.iter_rows():
        columns.setdefault(str(column), {})[str(value)] = str(kind)
    return columns

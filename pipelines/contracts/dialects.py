"""Dialects as data: which attribute key fills which canonical column, which value means which kind of span, what is missing.

``aliases.csv``: one row per (column, dialect, key, path, priority, type); ``N`` in a key stands for an index. A row with a
path speaks of JSON text inside an attribute: ``$`` is the whole of it, ``*`` any tool call in it. The least priority wins.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import polars as pl

from pipelines.errors import TerminalError

_HERE = Path(__file__).parent
_KEPT_COLUMNS = ("tool_arguments", "input", "requested_tools")


def _table(name: str) -> pl.DataFrame:
    table = pl.read_csv(_HERE / f"{name}.csv", comment_prefix="#", infer_schema=False)
    priority = [pl.col("priority").cast(pl.Int64)] if "priority" in table.columns else []
    return table.with_columns(pl.all().fill_null("")).with_columns(priority)


@cache
def all_aliases() -> pl.DataFrame:
    """Return ``aliases.csv``: column, dialect, key, path (empty for a plain attribute), priority, type."""
    return _table("aliases")


@cache
def span_aliases() -> pl.DataFrame:
    """Return the aliases that are attributes of their own: column, dialect, key, priority, type."""
    return all_aliases().filter(pl.col("path") == "").drop("path")


@cache
def embedded_aliases() -> pl.DataFrame:
    """Return the aliases that are a value inside a JSON text: column, dialect, key, path, priority, type."""
    return all_aliases().filter(~pl.col("path").is_in(["", "*"])).sort("priority", maintain_order=True)


@cache
def output_keys() -> tuple[str, ...]:
    """Return the keys whose JSON text may hold tool calls that a model asked for, the best first."""
    return tuple(all_aliases().filter(pl.col("path") == "*").sort("priority")["key"])


@cache
def kept_keys() -> tuple[str, ...]:
    """Return the keys whose text says more than the column made of it: they stay among the span's attributes."""
    whole = (pl.col("path") != "") | pl.col("column").is_in(_KEPT_COLUMNS)
    # A key that only tells the dialect has its value in no column.
    only_seen = pl.col("column").str.starts_with("seen_").all().over("key")
    return tuple(all_aliases().filter(whole | only_seen)["key"].unique(maintain_order=True))


@cache
def event_aliases() -> dict[str, pl.DataFrame]:
    """Return ``event_aliases.csv`` by event name: column, key, priority, type."""
    return {
        str(name): part.drop("event")
        for (name,), part in _table("event_aliases").group_by("event", maintain_order=True)
    }


@cache
def kinds() -> dict[str, dict[str, str]]:
    """Return ``kinds.csv``: classifying column, in order of preference, then lower-case value, to kind of span.

    Raises
    ------
    TerminalError
        If two dialects mean different kinds by one value.
    """
    columns: dict[str, dict[str, str]] = {}
    for column, dialect, value, kind in _table("kinds").iter_rows():
        if columns.setdefault(column, {}).setdefault(value, kind) != kind:
            raise TerminalError(
                f"{value!r} means two kinds of span", f"kinds.csv, {column}, {dialect}", "tell them apart"
            )
    return columns


@cache
def dialects() -> pl.DataFrame:
    """Return ``dialects.csv``: dialect, priority, column, value; by the first row that holds the dialect is known.

    A row holds where the column has the value, or any value if that is empty.
    """
    return _table("dialects").sort("priority")


@cache
def gaps() -> pl.DataFrame:
    """Return ``gaps.csv``: what packages are known not to report.

    scope (instrumentation scope), from_version (included; empty: any; ``unstated``: where the scope names none),
    below_version (excluded; empty: any), flag, evidence (the recorded file that shows it).
    """
    return _table("gaps")

"""The findings of Great Expectations, counted by Polars: what a refresh of few runs makes of its checks.

To load the library takes two seconds of CPU, a fifth of such a refresh. In a whole refresh (every night), and the first time that
a check is made, it looks itself (`pipelines.defs.expectations`); a test holds both to the same findings, word by word.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl

from pipelines.defs.expectations import EXAMPLES, Expectation, Finding, shown


def counted(frame: pl.DataFrame, expectations: list[Expectation], *, key: str) -> list[Finding]:
    """One finding per expectation, in their order; `key` is the column that names a row."""
    return [_of_rows(frame, each, key) if each.kind in _BAD else _of_all(frame, each) for each in expectations]


def _of_rows(frame: pl.DataFrame, expectation: Expectation, key: str) -> Finding:
    column = expectation.arguments["column"]
    bad = frame.filter(_BAD[expectation.kind](_known(frame, column), expectation.arguments))
    examples = ", ".join(
        shown(row[key]) if column == key else f"{shown(row[key])}: {shown(row[column])}"
        for row in bad.head(EXAMPLES).iter_rows(named=True)
    )
    observed = f"{bad.height:,} of {frame.height:,} rows break it"
    return Finding(expectation.rule, bad.is_empty(), observed, bad.height, examples)


def _of_all(frame: pl.DataFrame, expectation: Expectation) -> Finding:
    value = (
        frame.height
        if expectation.kind == "ExpectTableRowCountToBeBetween"
        else frame[expectation.arguments["column"]].sum()
    )
    passed = expectation.arguments["min_value"] <= value <= expectation.arguments["max_value"]
    return Finding(expectation.rule, passed, f"{value:,}", int(not passed), "")


def _known(frame: pl.DataFrame, column: str) -> pl.Expr:
    """The column's values; no number is none."""
    return pl.col(column).fill_nan(None) if frame.schema[column].is_float() else pl.col(column)


def _outside(value: pl.Expr, arguments: dict[str, Any]) -> pl.Expr:
    most = arguments["max_value"]
    return (value < arguments["min_value"]) | (pl.lit(False) if most is None else value > most)


#: Which rows break an expectation of a kind.
_BAD: dict[str, Callable[[pl.Expr, dict[str, Any]], pl.Expr]] = {
    "ExpectColumnValuesToNotBeNull": lambda value, arguments: value.is_null(),
    "ExpectColumnValuesToBeUnique": lambda value, arguments: value.is_not_null() & value.is_duplicated(),
    "ExpectColumnValuesToBeBetween": _outside,
}

"""What the package that made a span is known not to report, from its instrumentation scope and version."""

from __future__ import annotations

import re

import polars as pl

from pipelines.contracts.dialects import gaps

_UNSTATED = "unstated"


def package_gaps(scopes: pl.DataFrame) -> pl.Series:
    """Return the flags of ``gaps.csv`` that hold for each span's package.

    Parameters
    ----------
    scopes : pl.DataFrame
        scope, scope_version (String, null allowed): one row per span.

    Returns
    -------
    pl.Series
        List of String, null where nothing is known to be missing.
    """
    known = gaps()["scope"].unique().to_list()
    distinct = scopes.filter(pl.col("scope").is_in(known)).unique()
    table = distinct.with_columns(
        pl.Series("package_gaps", [_flags(*row) for row in distinct.iter_rows()], dtype=pl.List(pl.String))
    ).filter(pl.col("package_gaps").list.len() > 0)
    if table.is_empty():
        return pl.Series("package_gaps", [None], dtype=pl.List(pl.String)).new_from_index(0, len(scopes))
    return scopes.join(table, on=["scope", "scope_version"], how="left", nulls_equal=True, maintain_order="left")[
        "package_gaps"
    ]


def _flags(scope: str, version: str | None) -> list[str]:
    rows = gaps().filter(pl.col("scope") == scope).select("from_version", "below_version", "flag").iter_rows()
    return sorted({flag for low, high, flag in rows if _holds(version or "", low, high)})


def _holds(version: str, low: str, high: str) -> bool:
    """Whether a version lies in a row's range; one that is not stated lies only in an open range.

    Examples
    --------
    >>> _holds("1.4.0", "", "1.5"), _holds("1.5.0", "", "1.5"), _holds("", "", "1.5"), _holds("", "unstated", "")
    (True, False, False, True)
    """
    if low == _UNSTATED or not version:
        return not version and (low == _UNSTATED or not (low or high))
    number = _number(version)
    return (not low or number >= _number(low)) and (not high or number < _number(high))


def _number(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d{1,9}", version)[:3]]

"""Texts as a spreadsheet may open them."""

from __future__ import annotations

import polars as pl


def unarmed(column: str) -> pl.Expr:
    """Return the column's texts such that no spreadsheet runs one as a formula (OWASP: CSV injection)."""
    cell = pl.col(column)
    return pl.when(cell.str.contains(r"^[=+\-@\t\r]")).then(pl.lit("'") + cell).otherwise(cell).alias(column)

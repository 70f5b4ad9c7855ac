"""A provider's bill in FOCUS columns: from a CSV file into table ``bill_lines``. Its text is data: none of it is run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.errors import TerminalError
from warehouse import Warehouse

_WANTED = ("ProviderName", "BillingPeriodStart", "ChargePeriodStart", "BilledCost", "BillingCurrency")
_OPTIONAL = {"account": "SubAccountId", "sku": "SkuId", "description": "ChargeDescription"}
#: Spellings of a moment: FOCUS's own, and the one its sample data has.
_TIMES = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")


def read_bill(file: Path, model_column: str = "x_Model") -> pl.DataFrame:
    """Return the lines of a bill, as rows of ``bill_lines`` but for when they were imported.

    Parameters
    ----------
    file : Path
        CSV in UTF-8 with a header, FOCUS columns in any order and others beside them; NULL and empty cells are null.
    model_column : str
        The column that names the model: FOCUS has none.

    Raises
    ------
    TerminalError
        The file is no such table, has no line, lacks a column, or has a cell that is not what its column asks for: says row and
        column, the header being row 1.
    """
    try:
        text = pl.read_csv(file, infer_schema=False, null_values=["", "NULL"], truncate_ragged_lines=False)
    except OSError as error:
        raise TerminalError("cannot read the bill", str(file), error.strerror or "name a CSV file") from None
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        said = str(error).split("\n")[0][:100]
        raise TerminalError("the bill is no CSV table in UTF-8", str(file), f"export it again ({said})") from None
    missing = [name for name in _WANTED if name not in text.columns]
    if missing:
        raise TerminalError(f"the bill has no column {', '.join(missing)}", f"{file}:1", "export it with FOCUS columns")
    if text.is_empty():
        raise TerminalError("the bill has no lines", str(file), "export it again")
    cost = pl.col("BilledCost").cast(pl.Float64, strict=False)
    lines = text.select(
        provider=_checked(text, file, "ProviderName", pl.col("ProviderName"), "a name"),
        billing_period=_checked(
            text, file, "BillingPeriodStart", _day("BillingPeriodStart"), "a time such as 2026-09-01T00:00:00Z"
        ),
        file_row=pl.int_range(2, pl.len() + 2, dtype=pl.Int64),
        day=_checked(text, file, "ChargePeriodStart", _day("ChargePeriodStart"), "a time such as 2026-09-01T00:00:00Z"),
        model=_column(text, model_column),
        billed_cost=_checked(text, file, "BilledCost", pl.when(cost.is_finite()).then(cost), "a number"),
        currency=_checked(
            text,
            file,
            "BillingCurrency",
            pl.col("BillingCurrency").str.extract(r"^([A-Z]{3})$"),
            "a currency code such as USD",
        ),
        **{ours: _column(text, theirs) for ours, theirs in _OPTIONAL.items()},
    )
    return lines


def import_bill(warehouse: Warehouse, lines: pl.DataFrame) -> int:
    """Put the lines in place of those of the same providers and billing periods, and return how many those were."""

    def replace(connection: Any) -> int:
        connection.register("billed_periods", lines.select("provider", "billing_period").unique().to_arrow())
        try:
            (gone,) = connection.execute(
                "DELETE FROM bill_lines USING billed_periods AS p "
                "WHERE bill_lines.provider = p.provider AND bill_lines.billing_period = p.billing_period"
            ).fetchone()
        finally:
            connection.unregister("billed_periods")
        now = datetime.now(UTC).replace(tzinfo=None)
        warehouse.insert(connection, "bill_lines", lines.with_columns(imported_at=pl.lit(now)))
        return gone

    return warehouse.transaction(replace)


def _column(text: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name) if name in text.columns else pl.lit(None, dtype=pl.String)


def _day(name: str) -> pl.Expr:
    cell = pl.col(name).str.strip_chars()
    return pl.coalesce(cell.str.to_datetime(form, strict=False, time_unit="us") for form in _TIMES).dt.date()


def _checked(text: pl.DataFrame, file: Path, name: str, value: pl.Expr, wanted: str) -> pl.Series:
    """The column's values; the first cell without one is an error."""
    found = text.select(value.alias(name)).to_series()
    if found.null_count():
        row = int(found.is_null().arg_true()[0])
        cell = text[name][row]
        told = "nothing" if cell is None else repr(cell[:40])
        raise TerminalError(f"{told} in column {name}", f"{file}:{row + 2}", f"it must be {wanted}")
    return found

"""A month of model calls as FOCUS 1.2 rows: from the warehouse to a file. It prices nothing: rates are those stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from pipelines.errors import TerminalError
from warehouse import Warehouse
from warehouse.queries import sql
from warehouse.spreadsheets import unarmed

_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Month:
    """The rows of a month, and how much of its traffic they are.

    Attributes
    ----------
    rows : pl.DataFrame
        Columns of FOCUS 1.2, and three of ours that begin with ``x_``; see ``warehouse/queries/focus_lines.sql``.
    calls, priced : int
        Model calls of the month, and those whose cost is known: only they have rows.
    cost_usd : float or None
        Sum of the calls' cost, in US dollars; null when none is known.
    """

    rows: pl.DataFrame
    calls: int
    priced: int
    cost_usd: float | None


def month_of(text: str) -> tuple[date, date]:
    """Return the first day of the month ``YYYY-MM`` and of the next one.

    Raises
    ------
    TerminalError
        The text names no month.
    """
    try:
        first = date.fromisoformat(text + "-01")
        return first, date(first.year + first.month // 12, first.month % 12 + 1, 1)
    except ValueError:
        raise TerminalError(f"no month {text[:20]!r}", "--month", "write it as 2026-09") from None


def focus_month(lake: Warehouse, month: str) -> Month:
    """Return what the priced model calls of a month cost, one row per kind of token, day, price, workflow, team and cost center.

    Raises
    ------
    TerminalError
        The text names no month, `runs` is not built yet, or no call of the month has a price.
    """
    first, following = month_of(month)
    if lake.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'model_calls'").item() == 0:
        raise TerminalError("there are no model calls yet", "export focus", "run `plumbline refresh` first")
    given = {"first": first, "next": following}
    calls, priced, cost = lake.connection.execute(sql("focus_coverage"), given).pl().row(0)
    if not priced:
        what = f"{calls} model calls, none with a known price" if calls else "no model calls"
        raise TerminalError(what, month, "choose another month, see `plumbline sql` on model_calls")
    return Month(lake.connection.execute(sql("focus_lines"), given).pl(), calls, priced, cost)


def write_focus(rows: pl.DataFrame, path: Path) -> None:
    """Write the rows as ``.csv`` or ``.parquet``; the file appears whole or not at all. Text is never a formula.

    Raises
    ------
    TerminalError
        The name ends in neither, or nothing can be written there.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise TerminalError(f"unknown form {path.suffix[:20]!r}", str(path), "name a .csv or .parquet file")
    part = path.with_name(path.name + ".part")
    try:
        if path.suffix == ".csv":
            texts = [name for name, kind in rows.schema.items() if kind == pl.String]
            rows.with_columns(pl.col(pl.Datetime).dt.strftime(_TIME), *map(unarmed, texts)).write_csv(part)
        else:
            rows.with_columns(pl.col(pl.Datetime).dt.replace_time_zone("UTC")).write_parquet(part)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise TerminalError("cannot write there", str(path), error.strerror or "choose another file") from None

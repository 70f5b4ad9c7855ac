"""``plumbline import`` and ``plumbline reconcile``: a provider's bill, and how it agrees with the traces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from pipelines.billing.bills import import_bill, read_bill
from pipelines.billing.focus import month_of
from pipelines.commands.context import existing_warehouse, open_warehouse, out, settings_of
from pipelines.commands.reading import write
from pipelines.errors import TerminalError
from warehouse import read_only
from warehouse.queries import sql

imports = typer.Typer(help="Read what others write.", no_args_is_help=True)


@imports.command()
def focus(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A bill as CSV with FOCUS columns.")],
    model_column: Annotated[str, typer.Option(help="Its column that names the model.")] = "x_Model",
) -> None:
    """Import a provider's bill; it takes the place of the one imported before for its providers and billing periods."""
    lines = read_bill(file, model_column)
    existing_warehouse(settings_of(context))
    with open_warehouse(settings_of(context)) as warehouse:
        replaced = import_bill(warehouse, lines)
    out.print(
        f"{len(lines):,} lines, {len(lines) - lines['model'].null_count():,} of them name a model; {replaced:,} replaced",
        markup=False,
    )


def reconcile(
    context: typer.Context,
    month: Annotated[str, typer.Option(help="YYYY-MM, by the day (UTC) of the charge.")],
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Compare the bills imported with the traces by day, provider, model and account, each difference with its reason."""
    if form not in ("table", "csv", "json"):
        raise TerminalError(f"unknown format {form!r}", "reconcile", "use table, csv or json")
    first, following = month_of(month)
    with read_only(existing_warehouse(settings_of(context))) as lake:
        if lake.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'model_calls'").item() == 0:
            raise TerminalError("there are no model calls yet", "reconcile", "run `plumbline refresh` first")
        given = {"first": first, "next": following}
        found = lake.connection.execute(sql("reconciliation"), given).pl()
        beside = lake.connection.execute(sql("bill_lines_left_out"), given).pl()
    if found.is_empty() and beside.is_empty():
        raise TerminalError("no bill", month, "import it with `plumbline import focus FILE`")
    write(found, form)
    if form == "table":
        reasons = found.group_by("reason").agg(pl.len(), pl.col("difference_usd").sum()).sort("reason")
        for reason, rows, usd in reasons.rows():
            usd = round(usd, 6) + 0.0  # never "-0"
            out.print(f"{reason}: {rows:,} rows, {usd:+,.6f} US dollars billed beyond the traces", markup=False)
        for currency, lines, cost, models in beside.rows():
            out.print(
                f"not compared: {lines:,} lines, {cost:,.6f} {currency}; {models:,} of them name a model"
                + (", but the catalog's currencies have no rate of that day" if models else ""),
                markup=False,
                soft_wrap=True,
            )

"""``plumbline export``: what others read, in their formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.billing.focus import focus_month, write_focus
from pipelines.commands.context import err, existing_warehouse, settings_of
from warehouse import read_only

export = typer.Typer(help="Write what is known in the formats of others.", no_args_is_help=True)


@export.command()
def focus(
    context: typer.Context,
    month: Annotated[str, typer.Option(help="YYYY-MM, by the day (UTC) on which a call started.")],
    file: Annotated[Path, typer.Option("--out", help="File to write: .csv or .parquet.")],
) -> None:
    """Write a month's model spend as FOCUS 1.2, one row per day, price, workflow, team, cost center and kind of token."""
    with read_only(existing_warehouse(settings_of(context))) as lake:
        found = focus_month(lake, month)
    write_focus(found.rows, file)
    err.print(
        f"{file}: {len(found.rows):,} rows, ${found.rows['BilledCost'].sum():,.6f}; {found.priced:,} of {found.calls:,} model "
        "calls have a known price, the others have no row",
        markup=False,
        soft_wrap=True,
    )

"""``plumbline backfill``: do again for stored rows what is done for new ones."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from pipelines.billing.backfill import backfill_prices
from pipelines.commands.context import existing_warehouse, open_warehouse, out, settings_of
from pipelines.errors import TerminalError

backfill = typer.Typer(help="Do again for stored rows what is done for new ones.", no_args_is_help=True)


@backfill.command()
def prices(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="YYYY-MM-DD: calls that started on that day (UTC) or later.")],
) -> None:
    """Price stored calls again, at the list prices in force when they ran; `repriced_calls` keeps the old ones."""
    try:
        first = date.fromisoformat(since)
    except ValueError:
        raise TerminalError(f"no day {since[:20]!r}", "--since", "write it as 2026-09-01") from None
    settings = settings_of(context)
    existing_warehouse(settings)
    with open_warehouse(settings) as warehouse:
        found = backfill_prices(warehouse, first)
    out.print(
        f"{found.calls:,} calls: {found.changed:,} priced anew ({found.difference_usd:+,.6f} US dollars where they had a cost), "
        f"{found.kept:,} keep a price that the list does not know any more; `plumbline refresh` takes it into the marts",
        markup=False,
        soft_wrap=True,
    )

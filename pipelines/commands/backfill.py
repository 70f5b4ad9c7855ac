"""``plumbline backfill``: do again for stored rows what is done for new ones."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

import typer

from pipelines.commands.context import existing_warehouse, open_warehouse, out, settings_of
from pipelines.commands.serving import print_rows, run_refresh
from pipelines.errors import TerminalError
from warehouse import read_only

backfill = typer.Typer(help="Do again for stored rows what is done for new ones.", no_args_is_help=True)


@backfill.command()
def prices(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="YYYY-MM-DD: calls that started on that day (UTC) or later.")],
) -> None:
    """Price stored calls again, at the list prices in force when they ran; `repriced_calls` keeps the old ones."""
    from pipelines.billing.backfill import backfill_prices

    first = _day(since, "--since")
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


@backfill.command()
def marts(
    context: typer.Context,
    since: Annotated[str, typer.Option(help="YYYY-MM-DD: first day (UTC).")],
    until: Annotated[str | None, typer.Option(help="YYYY-MM-DD: last day (UTC); today where it is not given.")] = None,
) -> None:
    """Compute days of the marts by day again, changed or not, and what depends on them, from the last refresh's runs."""
    from pipelines.stages.normalise import EARLIEST

    today = datetime.now(UTC).date()
    first, last = _day(since, "--since"), today if until is None else _day(until, "--until")
    if first < EARLIEST.date():
        raise TerminalError(f"{first} is too early", "--since", f"days begin at {EARLIEST:%Y-%m-%d}")
    if last > today:
        raise TerminalError(f"{last} is to come yet", "--until", f"give {today} or an earlier day")
    if last < first:
        raise TerminalError(f"no days from {first} to {last}", "--since, --until", "give the earlier day first")
    settings = settings_of(context)
    with read_only(existing_warehouse(settings)) as lake:
        if lake.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'runs'").item() == 0:
            raise TerminalError("there are no runs yet", "backfill", "run `plumbline refresh` first")
    print_rows(run_refresh(settings, days=(first, last)))


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise TerminalError(f"no day {text[:20]!r}", option, "write it as 2026-09-01") from None

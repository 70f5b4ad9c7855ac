"""``plumbline cost``: what a successful outcome costs, by any tag, a day, week or month at a time."""

from __future__ import annotations

from typing import Annotated

import polars as pl
import typer

from pipelines.commands.context import existing_warehouse, out, settings_of
from pipelines.commands.reading import write
from pipelines.economics.periods import period as bounds_of
from pipelines.economics.tags import COLUMNS, cost_per_outcome, tag_runs
from pipelines.errors import TerminalError
from warehouse import read_only

_GRAINS = ("day", "week", "month")
_FLEET = "(fleet)"


def cost(
    context: typer.Context,
    by: Annotated[
        str, typer.Option(help=f"{', '.join(COLUMNS)}, or the name of any attribute of root spans or their resource.")
    ] = "workflow",
    grain: Annotated[str, typer.Option(help="day, week (from Monday) or month, by the start of the run.")] = "month",
    workflow: Annotated[str, typer.Option(help="Only runs of this workflow; of all if not given.")] = "",
    period: Annotated[str, typer.Option(help="2026-09-14, 2026-W37, 2026-09 or DAY..DAY; all if not given.")] = "",
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Show what a successful outcome costs, by any tag, with its 95 % interval, pending runs and coverage."""
    if form not in ("table", "csv", "json"):
        raise TerminalError(f"unknown format {form!r}", "cost", "use table, csv or json")
    if grain not in _GRAINS:
        raise TerminalError(f"unknown grain {grain[:20]!r}", "--grain", f"use {', '.join(_GRAINS)}")
    since, until = bounds_of(period, "--period") if period else (None, None)
    with read_only(existing_warehouse(settings_of(context))) as lake:
        tag_runs(lake, by, since, until)
        rows = cost_per_outcome(lake).filter(period=grain)
    found = rows.filter(workflow=workflow or _FLEET)
    if found.is_empty():
        known = sorted(set(rows["workflow"]) - {_FLEET})[:8]
        what = f"no workflow {workflow[:80]!r} in this period"
        raise TerminalError(what, "--workflow", f"use one of {', '.join(repr(name[:80]) for name in known)}")
    found = found.with_columns(by=pl.lit(by)).sort("date", pl.col("name").is_null(), "name")
    write(found if form != "table" else _for_people(found, by), form)
    if form == "table":
        out.print(
            "Settled runs only: pending ones are left out of cost and successes. Cost and its interval are those of runs with a "
            "known price: see coverage.",
            markup=False,
            soft_wrap=True,
        )


def _for_people(found: pl.DataFrame, by: str) -> pl.DataFrame:
    def usd(value: float | None) -> str:
        return "–" if value is None else f"${value:,.4f}"

    def share(value: float | None) -> str:
        return "–" if value is None else f"{value:.1%}"

    return pl.DataFrame(
        [
            {
                "from": f"{row['date']}",
                by[:40]: "(none)" if row["name"] is None else row["name"],
                "runs": f"{row['runs']:,}",
                "pending": f"{row['pending_runs']:,}",
                "successes": f"{row['successes']:,}",
                "cost": usd(row["cost_usd"]),
                "per success": usd(row["cost_per_success_usd"]),
                "95 %": f"{usd(row['ci_low_usd'])} to {usd(row['ci_high_usd'])}",
                "failed runs": share(row["failed_run_cost_ratio"]),
                "coverage": share(row["price_coverage_ratio"]),
            }
            for row in found.iter_rows(named=True)
        ]
    )

"""``plumbline showback``: who pays for what was spent, by any tag, with shared cost split by a stated rule."""

from __future__ import annotations

from typing import Annotated

import polars as pl
import typer

from pipelines.commands.context import existing_warehouse, out, settings_of
from pipelines.commands.reading import write
from pipelines.economics.periods import period as bounds_of
from pipelines.economics.tags import COLUMNS, tag_runs
from pipelines.errors import TerminalError
from warehouse import read_only
from warehouse.economics.showback import RULES
from warehouse.economics.showback import showback as parted
from warehouse.queries import sql as query

_RULES = {"spend": "in proportion to their own spend", "runs": "in proportion to their runs", "even": "evenly"}


def showback(
    context: typer.Context,
    by: Annotated[
        str, typer.Option(help=f"{', '.join(COLUMNS)}, or the name of any attribute of root spans or their resource.")
    ] = "team",
    period: Annotated[str, typer.Option(help="2026-09-14, 2026-W37, 2026-09 or DAY..DAY; all if not given.")] = "",
    shared: Annotated[
        list[str] | None, typer.Option(help="Workflow whose cost is split over the others; repeat for several.")
    ] = None,
    split: Annotated[str, typer.Option(help="How: spend, runs or even.")] = "spend",
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Show who pays: spend by a tag, shared cost split by a stated rule, and what nobody is tagged for. It sums to all spend."""
    if form not in ("table", "csv", "json"):
        raise TerminalError(f"unknown format {form!r}", "showback", "use table, csv or json")
    if split not in RULES:
        raise TerminalError(f"unknown rule {split[:20]!r}", "--split", f"use {', '.join(RULES)}")
    since, until = bounds_of(period, "--period") if period else (None, None)
    with read_only(existing_warehouse(settings_of(context))) as lake:
        tag_runs(lake, by, since, until)
        spend = lake.query(query("spend_by_tag"))
    known = set(spend["workflow"])
    for name in shared or []:
        if name not in known:
            raise TerminalError(
                f"no workflow {name[:80]!r} in this period",
                "--shared",
                f"use one of {', '.join(repr(each[:80]) for each in sorted(known)[:8])}",
            )
    found = parted(spend, shared or [], split)
    write(found if form != "table" else _for_people(found, by), form)
    if form == "table":
        whole = found["total_usd"].sum()
        rule = f"; {', '.join(shared)} split {_RULES[split]}"[:300] if shared else ""
        out.print(
            f"${whole:,.6f} in all, spent on runs with a known price{rule}. Runs without one are missing: see coverage.",
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
                by[:40]: "(unallocated)" if row["tag"] is None else row["tag"],
                "runs": f"{row['runs']:,}",
                "own": usd(row["own_usd"]),
                "shared": usd(row["shared_usd"]),
                "pays": usd(row["total_usd"]),
                "share": share(row["share"]),
                "coverage": share(row["coverage_ratio"]),
            }
            for row in found.iter_rows(named=True)
        ]
    )

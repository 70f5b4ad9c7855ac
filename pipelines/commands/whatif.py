"""``plumbline whatif``: what the recorded traffic would have cost with other models, or with another cache share."""

from __future__ import annotations

from typing import Annotated

import polars as pl
import typer

from pipelines.commands.context import existing_warehouse, out, settings_of
from pipelines.commands.reading import write
from pipelines.economics.periods import period as bounds_of
from pipelines.errors import TerminalError
from warehouse import read_only
from warehouse.queries import sql as query


def whatif(
    context: typer.Context,
    model: Annotated[
        list[str] | None,
        typer.Option(help="OLD=NEW: price the calls of OLD as if NEW had answered; repeat for several."),
    ] = None,
    cache_share: Annotated[
        float | None, typer.Option(help="Share of every call's input read from the cache, 0 to 1.")
    ] = None,
    workflow: Annotated[str, typer.Option(help="Only this workflow.")] = "",
    period: Annotated[str, typer.Option(help="2026-09-14, 2026-W37, 2026-09 or DAY..DAY; all if not given.")] = "",
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Price the recorded traffic anew, call by call. Tokens and outcomes stay as they were: it answers for money alone."""
    from pipelines.economics.whatif import by_workflow, priced_anew
    from pipelines.stages.rates import read_rates

    if form not in ("table", "csv", "json"):
        raise TerminalError(f"unknown format {form!r}", "whatif", "use table, csv or json")
    if not model and cache_share is None:
        raise TerminalError("nothing would be other", "whatif", "give --model OLD=NEW or --cache-share")
    if cache_share is not None and not 0 <= cache_share <= 1:
        raise TerminalError(f"no share: {cache_share}", "--cache-share", "give a number from 0 to 1")
    models = dict(_pair(each) for each in model or [])
    since, until = bounds_of(period, "--period") if period else (None, None)
    given = {"workflow": workflow or None, "since": since, "until": until}
    with read_only(existing_warehouse(settings_of(context))) as lake:
        if lake.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'model_calls'").item() == 0:
            raise TerminalError("there are no model calls yet", "whatif", "run `plumbline refresh` first")
        calls = lake.connection.execute(query("calls_with_outcomes"), given).pl()
        runs = lake.connection.execute(query("settled_runs"), given).pl()
        rates = read_rates(lake.query)
    if calls.is_empty():
        raise TerminalError(
            "no model calls of settled runs", workflow[:80] or "whatif", "choose another --workflow or --period"
        )
    answered = pl.coalesce("response_model", "request_model")
    names = set(calls.select(answered.drop_nulls().unique()).to_series())
    plain = {name.rsplit("@")[0] for name in names} | names
    for old in models:
        if not any(name == old or name.startswith(old) for name in plain):
            raise TerminalError(
                f"no call of model {old[:80]!r}",
                "--model",
                f"use one of {', '.join(repr(name[:80]) for name in sorted(names)[:8])}",
            )
    anew = priced_anew(calls, models, cache_share, rates)
    if models and anew.filter(pl.col("cost_after_usd").is_not_null()).is_empty():
        raise TerminalError(f"no price is known of {', '.join(models.values())[:120]}", "--model", "see docs/prices.md")
    found = by_workflow(anew, runs)
    write(found if form != "table" else _for_people(found), form)
    if form == "table":
        out.print(
            "Tokens and outcomes are those recorded: another model writes answers of another length and succeeds otherwise. Runs "
            "with a call of unknown price, before or after, are left out: see coverage.",
            markup=False,
            soft_wrap=True,
        )


def _pair(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise TerminalError(f"no pair of models: {text[:80]!r}", "--model", "write OLD=NEW")
    return old, new


def _for_people(found: pl.DataFrame) -> pl.DataFrame:
    def usd(value: float | None) -> str:
        return "–" if value is None else f"${value:,.4f}" if abs(value) < 100 else f"${value:,.2f}"

    return pl.DataFrame(
        [
            {
                "workflow": row["workflow"],
                "cost": usd(row["cost_before_usd"]),
                "would be": usd(row["cost_after_usd"]),
                "change": "–" if row["change_ratio"] is None else f"{row['change_ratio']:+.1%}",
                "per success": usd(row["per_success_before_usd"]),
                "would be ": usd(row["per_success_after_usd"]),
                "coverage": f"{row['priced_runs'] / row['runs']:.0%} of {row['runs']:,} runs",
            }
            for row in found.iter_rows(named=True)
        ]
    )

"""``plumbline budgets``: what is spent of each budget of the catalog, how fast, and where the month will land."""

from __future__ import annotations

from typing import Annotated

import polars as pl
import typer

from pipelines.commands.context import existing_warehouse, out, settings_of
from pipelines.commands.reading import write
from pipelines.errors import TerminalError
from warehouse import read_only
from warehouse.queries import sql as query


def budgets(
    context: typer.Context,
    month: Annotated[str, typer.Option(help="YYYY-MM; the month under way if not given.")] = "",
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Show each budget of the catalog: spent, burn rate, and where the month will land with its 90 % interval."""
    from pipelines.budgets import budgets_by_month

    if form not in ("table", "csv", "json"):
        raise TerminalError(f"unknown format {form!r}", "budgets", "use table, csv or json")
    with read_only(existing_warehouse(settings_of(context))) as lake:
        if lake.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'runs'").item() == 0:
            raise TerminalError("there are no runs yet", "budgets", "run `plumbline refresh` first")
        found = budgets_by_month(lake)
        if found.is_empty():
            raise _none_spent(lake.query("SELECT scope, name FROM catalog_budgets ORDER BY ALL"))
        months = found["month"].dt.strftime("%Y-%m").unique().sort().to_list()
        wanted = month or months[-1]
        if wanted not in months:
            raise TerminalError(f"no runs in month {month[:20]!r}", "--month", f"use one of {', '.join(months[-12:])}")
        chosen = found.filter(pl.col("month").dt.strftime("%Y-%m") == wanted)
        apart = lake.connection.execute(query("spend_and_budgets_apart"), {"month": f"{wanted}-01"}).pl()
    if form != "table":
        write(chosen, form)
        return
    write(_for_people(chosen), "table")
    out.print(
        f"{wanted} as of {chosen['as_of'][0]}; burn 1 lasts the month to the day; the landing's interval holds with probability "
        "90 % where the days to come are like those before. Costs without a price are missing: see coverage.",
        markup=False,
        soft_wrap=True,
    )
    for line in _told_apart(apart):
        out.print(line, markup=False, soft_wrap=True)


def _none_spent(declared: pl.DataFrame) -> TerminalError:
    """There is no budget, or none that any run counts towards: then it is named."""
    if declared.is_empty():
        hint = "give a workflow budget_usd_per_month, or a team a budget, and run `plumbline refresh`"
        return TerminalError("the catalog has no budget", "budgets", hint)
    return TerminalError(
        f"no run counts towards the budget of {_named(declared)}", "budgets", "use its name in the traces"
    )


def _named(budgets: pl.DataFrame) -> str:
    names = [f"{scope.replace('_', ' ')} {name[:80]!r}" for scope, name in budgets.select("scope", "name").iter_rows()]
    return f"{', '.join(names[:8])}{_more(len(names))}"


def _told_apart(apart: pl.DataFrame) -> list[str]:
    """One line on budgets that nothing is spent of, one on what is spent without a budget."""
    idle = apart.filter(pl.col("is_budget"))
    free = apart.filter(~pl.col("is_budget"))
    lines: list[str] = []
    if len(idle):
        lines.append(f"no run counts towards the budget of {_named(idle)}: is it its name in the traces?")
    if len(free):
        known = float(free["cost_usd"].sum()) if free["cost_usd"].count() else None
        names = ", ".join(repr(name[:80]) for name in free["name"][:8])
        lines.append(
            f"without a budget: {free['runs'].sum():,} runs of {names}{_more(len(free))}, {_usd(known)} where their cost is known"
        )
    return lines


def _more(count: int) -> str:
    return f" and {count - 8:,} more" if count > 8 else ""


def _for_people(budgets: pl.DataFrame) -> pl.DataFrame:
    rows = [
        {
            "scope": row["scope"],
            "name": row["name"],
            "budget": _usd(row["budget_usd"]),
            "spent": _usd(row["spent_usd"]),
            "used": _share(row["used_ratio"]),
            "burn 1 d / 7 d": " / ".join(
                "–" if burn is None else f"{burn:.2f}" for burn in (row["burn_1d"], row["burn_7d"])
            ),
            "landing": _usd(row["landing_usd"]),
            "interval": ""
            if row["landing_low_usd"] is None
            else f"{_usd(row['landing_low_usd'])} to {_usd(row['landing_high_usd'])}",
            "past error": _share(row["backtest_error_ratio"]),
            "coverage": _share(row["coverage_ratio"]),
        }
        for row in budgets.iter_rows(named=True)
    ]
    return pl.DataFrame(rows)


def _usd(value: float | None) -> str:
    return "–" if value is None else f"${value:,.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"

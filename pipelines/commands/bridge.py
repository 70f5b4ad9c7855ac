"""``plumbline bridge``: why cost per success differs between two periods, models or releases of a workflow, or of all."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

import polars as pl
import typer

from pipelines.commands.context import existing_warehouse, out, settings_of
from pipelines.commands.reading import write
from pipelines.economics.periods import period
from pipelines.errors import TerminalError
from warehouse import Warehouse, read_only
from warehouse.economics.bridge import Bridge, bridge
from warehouse.economics.groups import FACTORS, UNITS, Group, alike, by_model, measured, merged
from warehouse.queries import sql as query


def bridge_command(
    context: typer.Context,
    workflow: Annotated[str, typer.Argument(help="Workflow, as in table runs; all of them if not given.")] = "",
    first: Annotated[
        str, typer.Option("--from", help="Period before: 2025-08-14, 2025-W33, 2025-08 or DAY..DAY; all if not given.")
    ] = "",
    second: Annotated[str, typer.Option("--to", help="Period after.")] = "",
    from_model: Annotated[str, typer.Option(help="Only runs of this model, before.")] = "",
    to_model: Annotated[str, typer.Option(help="Only runs of this model, after.")] = "",
    from_release: Annotated[str, typer.Option(help="Only runs of this release, before.")] = "",
    to_release: Annotated[str, typer.Option(help="Only runs of this release, after.")] = "",
    form: Annotated[str, typer.Option("--format", help="table, csv or json.")] = "table",
) -> None:
    """Say why cost per success moved: what each factor did, in USD per success; the parts sum to the move exactly."""
    if form not in ("table", "csv", "json"):
        raise TerminalError(f"unknown format {form!r}", "bridge", "use table, csv or json")
    if (first, from_model, from_release) == (second, to_model, to_release):
        raise TerminalError("both sides are the same", "bridge", "give another --to, --to-model or --to-release")
    with read_only(existing_warehouse(settings_of(context))) as lake:
        if lake.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'runs'").item() == 0:
            raise TerminalError("there are no runs yet", "bridge", "run `plumbline refresh` first")
        before, told_before = _groups(lake, workflow, first, from_model, from_release, "--from")
        after, told_after = _groups(lake, workflow, second, to_model, to_release, "--to")
    if from_model or to_model:
        before, after = ({name: merged(group) for name, group in side.items()} for side in (before, after))
    found = bridge(before, after)
    assert found is not None, "each side has a success"
    rows = _rows(found, before, after)
    if form != "table":
        write(rows, form)
        return
    write(_for_people(rows), "table")
    for name, told in (("before", told_before), ("after", told_after)):
        out.print(f"{name}: {told}", markup=False, soft_wrap=True)


def _groups(
    lake: Warehouse, workflow: str, text: str, model: str, release: str, flag: str
) -> tuple[dict[str, Group], str]:
    """Sums of one side by workflow, and in words what they rest on."""
    since, until = period(text, flag) if text else (None, None)
    given = {
        "workflow": workflow or None,
        "since": since,
        "until": until,
        "model": model or None,
        "release": release or None,
    }
    sides = lake.connection.execute(query("bridged_runs"), given).pl()
    side = sides.select(pl.exclude("workflow").sum()).row(0, named=True)
    where = ", ".join(part for part in (workflow or "all workflows", text, model, release) if part)[:200]
    if side["all_runs"] == 0:
        raise TerminalError(f"no runs: {where!r}", flag, _known(lake, workflow))
    if side["runs"] == 0:
        why = f"{side['unpriced_runs']:,} without a known price, {side['pending_runs']:,} pending"
        raise TerminalError(
            f"no settled run with a known cost: {where!r} ({why})",
            flag,
            "see `plumbline sql` on model_calls where cost_usd is null",
        )
    if side["successes"] == 0:
        todo = "take a longer period: a cost per success needs one"
        raise TerminalError(f"no success among {side['runs']:,} runs: {where!r}", flag, todo)
    calls = lake.connection.execute(query("bridged_calls"), given).pl()
    groups = {
        row["workflow"]: Group(
            runs=row["runs"],
            successes=row["successes"],
            tool_usd=row["tool_usd"],
            escalation_usd=row["escalation_usd"],
            **by_model(calls.filter(pl.col("workflow").eq_missing(row["workflow"]))),
        )
        for row in sides.iter_rows(named=True)
    }
    settled = side["runs"] + side["unpriced_runs"]
    told = (
        f"{side['runs']:,} priced runs, {side['successes']:,} successes, {side['runs'] / settled:.0%} of the settled ones; "
        f"{side['unpriced_runs']:,} unpriced and {side['pending_runs']:,} pending are left out"
    )
    if side["runs_without_tool_cost"]:
        told += (
            f"; {side['runs_without_tool_cost']:,} called tools whose cost the catalog does not know: counted as none"
        )
    return groups, told


def _known(lake: Warehouse, workflow: str) -> str:
    names = lake.query("SELECT DISTINCT workflow FROM runs WHERE workflow IS NOT NULL ORDER BY 1")["workflow"].to_list()
    if workflow and workflow not in names:
        near = difflib.get_close_matches(workflow, names, n=5, cutoff=0.4) or names[:5]
        return f"use one of {', '.join(repr(name[:80]) for name in near)}"
    span = lake.query(
        "SELECT min(started_at)::DATE AS first, max(started_at)::DATE AS last FROM runs WHERE ? IN ('', workflow)",
        [workflow],
    ).row(0)
    return f"{'its' if workflow else 'the'} runs are of {span[0]} to {span[1]}; models and releases stand in table runs"


def _rows(found: Bridge, before: dict[str, Group], after: dict[str, Group]) -> pl.DataFrame:
    values_before, values_after = map(measured, alike(before, after))
    is_one = len(before.keys() | after.keys()) == 1
    rows: list[dict[str, Any]] = [
        {
            "factor": name,
            "moved_usd": found.parts[name],
            "share": found.parts[name] / (found.after - found.before) if found.after != found.before else None,
            "before": values_before[name],
            "after": values_after[name],
            "unit": UNITS[name],
        }
        for name in FACTORS
        if name != "workflow mix" or not is_one
    ]
    whole = {"factor": "cost per success", "moved_usd": found.after - found.before, "share": 1.0}
    rows.append({**whole, "before": found.before, "after": found.after, "unit": "USD per success"})
    text, number = pl.String, pl.Float64
    schema = {"factor": text, "moved_usd": number, "share": number, "before": number, "after": number, "unit": text}
    return pl.DataFrame(rows, schema=schema)


def _for_people(rows: pl.DataFrame) -> pl.DataFrame:
    def number(value: float | None) -> str:
        if value is None:
            return "–"
        return f"{value:,.4f}" if abs(value) < 1 else f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"

    return pl.DataFrame(
        [
            {
                "factor": row["factor"],
                "moved": f"{'-' if row['moved_usd'] < 0 else '+'}${abs(row['moved_usd']):,.6f}",
                "share": "–" if row["share"] is None else f"{round(row['share'], 2) + 0.0:.0%}",
                "before": number(row["before"]),
                "after": number(row["after"]),
                "unit": row["unit"],
            }
            for row in rows.iter_rows(named=True)
        ]
    )

"""Commands on reversibility: drill start and stop, contract."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import polars as pl
import typer

from pipelines import drills
from pipelines.commands.context import existing_warehouse, moment, open_warehouse, out, settings_of
from pipelines.commands.reading import write
from pipelines.errors import TerminalError
from warehouse import Warehouse, read_only

drill = typer.Typer(help="Rollback drills: start, stop, list.", no_args_is_help=True)

_Workflow = Annotated[str, typer.Argument(help="The workflow, as in table runs.")]
_At = Annotated[str, typer.Option(help="When, ISO 8601; UTC unless it says otherwise. Now if not given.")]
_By = Annotated[str | None, typer.Option("--by", help="Who holds it.")]
_Note = Annotated[str | None, typer.Option(help="What is tried, or was found.")]
_MARKS = {"kept": "kept", "broken": "BROKEN", "not provable": "not provable"}


@drill.command("start")
def drill_start(
    context: typer.Context,
    workflow: _Workflow,
    release: Annotated[str | None, typer.Option(help="What is stopped; the release in service if not given.")] = None,
    at: _At = "",
    by: _By = None,
    note: _Note = None,
) -> None:
    """Record the trigger of a drill: the moment at which the workflow's release is told to stop."""
    with _opened(context) as warehouse:
        begun = drills.start(warehouse, workflow, _moment(at), release=release, said_by=by, note=note)
    out.print(
        f"Drill of {begun.workflow}, release {begun.release}, since {begun.started_at:%Y-%m-%d %H:%M:%S} UTC. "
        f"When the release before it has taken over: plumbline drill stop {begun.workflow!r}",
        markup=False,
        soft_wrap=True,
    )


@drill.command("stop")
def drill_stop(context: typer.Context, workflow: _Workflow, at: _At = "", by: _By = None, note: _Note = None) -> None:
    """Record the end of a drill; the next refresh measures from the traces what it took."""
    with _opened(context) as warehouse:
        ended = drills.stop(warehouse, workflow, _moment(at), said_by=by, note=note)
    out.print(
        f"Drill of {ended.workflow} ended at {ended.stopped_at:%Y-%m-%d %H:%M:%S} UTC. "
        "What it took: plumbline refresh, then plumbline drill list",
        markup=False,
        soft_wrap=True,
    )


@drill.command("list")
def drill_list(
    context: typer.Context, form: Annotated[str, typer.Option("--format", help="table or json.")] = "table"
) -> None:
    """List drills with what they took, as of the last refresh."""
    if form not in ("table", "json"):
        raise TerminalError(f"unknown format {form!r}", "drill list", "use table or json")
    found = _mart(context, "drills_measured", "SELECT * FROM drills_measured ORDER BY started_at, drill_id")
    if form == "table" and found.is_empty():
        out.print("no drills as of the last refresh")
        return
    write(found.drop("drill_id", "last_action_at") if form == "table" else found, form)


def contract(
    context: typer.Context,
    workflow: Annotated[str | None, typer.Argument(help="The workflow; all of them if not given.")] = None,
    form: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
) -> None:
    """Check the reliability contract: seven clauses from the last 30 days of traces, each kept, broken or not provable."""
    if form not in ("table", "json"):
        raise TerminalError(f"unknown format {form!r}", "contract", "use table or json")
    found = _mart(
        context, "reliability_contract", "SELECT * FROM reliability_contract ORDER BY workflow, clause_number"
    )
    if workflow is not None:
        there = sorted(found["workflow"].unique())
        found = found.filter(pl.col("workflow") == workflow)
        if found.is_empty():
            known = ", ".join(repr(name[:80]) for name in there[:8]) or "none has run in 30 days"
            raise TerminalError(f"no workflow {workflow[:80]!r} in the last 30 days", "contract", f"use one of {known}")
    if form == "json":
        write(found, form)
        return
    states = pl.col("state").replace_strict(_MARKS)
    runs = pl.col("broken_runs").cast(pl.String).fill_null("–")
    write(
        found.select("workflow", "clause", states, runs, "detail", pl.col("to_do").fill_null("").alias("to do")), form
    )
    counts = found.group_by("state").len().rows()
    kept = dict(counts)
    out.print(
        f"{kept.get('kept', 0)} clauses kept, {kept.get('broken', 0)} broken, {kept.get('not provable', 0)} not provable; "
        "the runs that break one: --format json.",
        markup=False,
        soft_wrap=True,
    )


def _opened(context: typer.Context) -> Warehouse:
    settings = settings_of(context)
    existing_warehouse(settings)
    return open_warehouse(settings)


def _mart(context: typer.Context, name: str, sql: str) -> pl.DataFrame:
    with read_only(existing_warehouse(settings_of(context))) as lake:
        if lake.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = ?", [name]).item() == 0:
            raise TerminalError(f"there is no {name} yet", str(lake.path), "run `plumbline refresh` first")
        return lake.query(sql)


def _moment(text: str) -> datetime:
    """An instant in UTC without a zone: now where none is given."""
    from pipelines.sources.kafka import utc_now

    return moment(text, "--at") if text else utc_now()

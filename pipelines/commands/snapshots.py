"""``plumbline snapshots``: which states of the warehouse are kept, and what wrote each."""

from __future__ import annotations

from typing import Annotated

import typer

from pipelines.commands.context import existing_warehouse, moment, settings_of
from pipelines.commands.reading import FORMS, write
from pipelines.errors import TerminalError
from warehouse import read_only
from warehouse import snapshots as kept_snapshots


def snapshots(
    context: typer.Context,
    table: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only those that changed this table or mart.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only from then on; UTC where no zone is given.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Only up to then.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000_000, help="At most so many, the newest first.")] = 50,
    form: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
) -> None:
    """List the kept snapshots, newest first: when each was committed (UTC), by which command, and what it changed.

    Each is what `--as-of` of audit, sql, sql-server and export takes.
    """
    if form not in FORMS:
        raise TerminalError(f"unknown format {form!r}", "snapshots", f"use {', '.join(FORMS)}")
    with read_only(existing_warehouse(settings_of(context))) as lake:
        found = kept_snapshots.kept(
            lake.connection,
            limit=limit,
            since=None if since is None else moment(since, "--since"),
            until=None if until is None else moment(until, "--until"),
            table=table,
        )
    write(found, form)

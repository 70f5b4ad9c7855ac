"""``plumbline export``: what others read, in their formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.billing.focus import focus_month, write_focus
from pipelines.commands.context import AsOf, confined, err, existing_warehouse, settings_of, snapshot_or_moment
from pipelines.confining import reading_limits
from pipelines.export import MANIFEST, export_query, export_table
from warehouse import Reader, read_only, snapshots

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


@export.command()
def table(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Table, view or mart.")],
    folder: Annotated[Path, typer.Option("--out", help="Directory for the files; made if absent, else empty.")],
    as_of: AsOf = None,
) -> None:
    """Write a table as Parquet files, as of one snapshot, with manifest.json: rows, schema, snapshot, SHA-256 per file."""
    with _reader(context, as_of) as reader:
        _tell(export_table(reader, name, folder), folder)


@export.command()
def query(
    context: typer.Context,
    statement: Annotated[str, typer.Argument(help="One SELECT statement.")],
    folder: Annotated[Path, typer.Option("--out", help="Directory for the files; made if absent, else empty.")],
    as_of: AsOf = None,
) -> None:
    """Write the rows of one SELECT as Parquet files, as of one snapshot, with manifest.json."""
    with _reader(context, as_of) as reader:
        _tell(export_query(reader, statement, folder), folder)


def _reader(context: typer.Context, as_of: str | None) -> Reader:
    """A reader held at one snapshot, so that all of an export is of one moment, views and joins included."""
    settings = confined(context)
    warehouse, then = existing_warehouse(settings), snapshot_or_moment(as_of)
    if then is None:
        with read_only(warehouse) as lake:
            then = snapshots.current(lake.connection).id  # not by the clock, which may have been set back
    return Reader(warehouse, limits=reading_limits(), bounds=settings.bounds, as_of=then)


def _tell(manifest: dict[str, Any], folder: Path) -> None:
    err.print(
        f"{manifest['rows']:,} rows in {len(manifest['files'])} files, as of snapshot {manifest['snapshot_id']}: "
        f"{folder / MANIFEST}",
        markup=False,
        soft_wrap=True,
    )

"""Commands that keep what is stored: ``plumbline backup`` and ``plumbline restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands.context import err, existing_warehouse, out, settings_of, with_options
from pipelines.errors import TerminalError
from pipelines.lease import Lease

if TYPE_CHECKING:
    from warehouse.upkeep.manifest import Manifest


def backup(
    context: typer.Context,
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Directory of backups; setting backup_directory without it.")
    ] = None,
    keep: Annotated[int | None, typer.Option(min=1, help="Backups kept there, this one included.")] = None,
) -> None:
    """Back up the warehouse and the detectors' checkpoint, while streams write: what is new, and checksums of all."""
    from pipelines import backups

    settings = with_options(settings_of(context), backup_directory=directory, backups_kept=keep)
    existing_warehouse(settings)
    out.print(_line(backups.run(settings)), markup=False, soft_wrap=True)


def restore(
    context: typer.Context,
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Directory of backups; setting backup_directory without it.")
    ] = None,
    name: Annotated[str | None, typer.Option("--backup", help="Which one; the latest where it is not given.")] = None,
    list_them: Annotated[bool, typer.Option("--list", help="Name the backups there, and restore none.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Check every checksum of the backup, and restore nothing.")
    ] = False,
    without_damaged: Annotated[
        bool, typer.Option("--without-damaged", help="Leave out damaged Parquet files; each is named.")
    ] = False,
) -> None:
    """Put a backup in the place of the home's warehouse, which must be empty; every checksum is compared first."""
    from pipelines import backups
    from warehouse.upkeep import manifest
    from warehouse.upkeep.restore import restore as put

    settings = with_options(settings_of(context), backup_directory=directory)
    if settings.backup_directory is None:
        raise TerminalError("no directory of backups", "restore", "give one: `plumbline restore DIR`")
    if list_them:
        for each in manifest.names(settings.backup_directory):
            out.print(_line(manifest.read(settings.backup_directory, each)), markup=False, soft_wrap=True)
        return
    if check:
        _check(settings.backup_directory, name)
        return
    lease = Lease(settings.home / "detection.lock")
    if not lease.take():
        raise TerminalError("a worker runs on this home", str(settings.home), "stop every `plumbline stream` first")
    try:
        kept, left_out = put(
            settings.backup_directory,
            settings.warehouse,
            name,
            beside=backups.beside(settings),
            without_damaged=without_damaged,
        )
    finally:
        lease.release()
    for line in left_out:
        err.print(f"left out: {line}", markup=False, soft_wrap=True)
    out.print(f"{_line(kept)}; restored to {settings.warehouse}", markup=False, soft_wrap=True)
    if left_out:
        err.print("`plumbline doctor --repair` says what to do about those files", markup=False, soft_wrap=True)


def _check(directory: Path, name: str | None) -> None:
    from warehouse.upkeep import manifest
    from warehouse.upkeep.backup import damaged

    kept = manifest.read(directory, name)
    bad = list(damaged(directory, kept))
    for file, fault in bad:
        rows = f"; {file.rows:,} rows of {file.table}" if file.table else ""
        out.print(f"damaged: {file.path}: {fault}{rows}", markup=False, soft_wrap=True)
    if bad:
        raise typer.Exit(1)
    out.print(f"{_line(kept)}; every checksum holds", markup=False, soft_wrap=True)


def _line(kept: Manifest) -> str:
    files = len(kept.files)
    return (
        f"backup {kept.name}: snapshot {kept.snapshot:,}, {kept.rows.get('spans', 0):,} spans, "
        f"{files:,} {'file' if files == 1 else 'files'}, {kept.bytes / 2**20:,.1f} MiB"
    )

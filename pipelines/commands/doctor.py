"""``plumbline doctor``: what is wrong, and with ``--repair`` what would be done about files, before it is done."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipelines.checks import examine
from pipelines.commands.context import err, existing_warehouse, out, settings_of, with_options
from pipelines.commands.reading import printable
from pipelines.errors import TerminalError
from pipelines.lease import Lease
from pipelines.settings import Settings


def doctor(
    context: typer.Context,
    repair: Annotated[
        bool, typer.Option("--repair", help="Say what can be done about missing, damaged and unknown files, and ask.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --repair: do it without asking.")] = False,
    backups: Annotated[
        Path | None,
        typer.Option("--backups", metavar="DIR", help="Where whole files may be; setting backup_directory without it."),
    ] = None,
) -> None:
    """Check every part and say how to mend what is broken."""
    settings = with_options(settings_of(context), backup_directory=backups)
    if repair:
        _repair(settings, yes=yes)
        return
    failed = False
    for check in examine(settings):
        mark = {"ok": "ok     ", "warning": "warning", "failed": "failed "}[check.state]
        failed |= check.state == "failed"
        out.print(
            f"{mark} {check.part}: {check.finding}" + (f" → {check.mend}" if check.mend else ""),
            markup=False,
            soft_wrap=True,
        )
    if failed:
        raise typer.Exit(1)


def _repair(settings: Settings, *, yes: bool) -> None:
    from warehouse.upkeep.inspection import inspect
    from warehouse.upkeep.repair import plan

    path = existing_warehouse(settings)
    lease = Lease(settings.home / "detection.lock")
    if not lease.take():
        raise TerminalError("a worker runs on this home", str(settings.home), "stop every `plumbline stream` first")
    try:
        steps, beyond = plan(path, inspect(path), settings.backup_directory)
        for line in beyond:
            _tell(f"can't be repaired: {line}")
        for number, step in enumerate(steps, start=1):
            _tell(f"{number}. {step.what}")
            for line in step.lost:
                _tell(f"   lost: {line}")
        if steps and _may(yes):
            for step in steps:
                _tell(step.do())
                if step.given_up:
                    _note_lost(settings, step.given_up)
    finally:
        lease.release()
    if beyond:
        raise typer.Exit(1)
    if not steps:
        _tell("nothing to repair: every file is as the catalog says")


def _may(yes: bool) -> bool:
    if yes:
        return True
    if sys.stdin.isatty() and typer.confirm("Do this?", default=False, err=True):
        return True
    err.print("nothing was done; --yes does it without asking", markup=False, soft_wrap=True)
    raise typer.Exit(1)


def _note_lost(settings: Settings, given_up: list) -> None:
    """Have what was lost in the warehouse itself, and told through the subscriptions."""
    from pipelines.alerts import operations
    from warehouse import Warehouse

    with Warehouse.open(settings.warehouse) as warehouse:
        operations.record(
            [operations.rows_lost(each.file.path, each.fault, each.rows, each.ranges) for each in given_up], warehouse
        )


def _tell(line: str) -> None:
    out.print(printable(line), markup=False, soft_wrap=True)

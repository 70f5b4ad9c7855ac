"""What every command shares: the settings of this invocation, the consoles, and where Kafka is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.console import Console

from pipelines.errors import TerminalError
from pipelines.settings import Settings
from warehouse import Limits, Warehouse, marts

#: Results go to stdout, so that they can be piped; all else goes to stderr.
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


@dataclass(slots=True)
class Invocation:
    """Carried by Typer's context object; owns_process: the process is this command's alone, and may be changed for it."""

    settings: Settings
    debug: bool = False
    owns_process: bool = False


def settings_of(context: typer.Context) -> Settings:
    """Return the settings of this invocation; what it writes is noted under the command's name where no other is set."""
    settings = context.find_object(Invocation).settings  # pyright: ignore[reportOptionalMemberAccess]
    return settings if settings.writer else replace(settings, writer=context.command_path)


def confined(context: typer.Context, *, is_server: bool = False) -> Settings:
    """Return the settings of a command that answers analysts, with its process confined (`pipelines.confining`)."""
    from pipelines.confining import confine

    settings = settings_of(context)
    if context.find_object(Invocation).owns_process:  # pyright: ignore[reportOptionalMemberAccess]
        confine(settings, slots=settings.query_slots if is_server else 1)
    return settings


def with_options(settings: Settings, **given: Any) -> Settings:
    """Return the settings with a command's own options over them; None is "not given"."""
    return replace(settings, **{name: value for name, value in given.items() if value is not None})


def broker_address(settings: Settings) -> str:
    """Return Kafka's address: as set, else that of the broker in ``home``.

    Raises
    ------
    TerminalError
        Neither is there.
    """
    if settings.bootstrap_servers:
        return settings.bootstrap_servers
    from pipelines.broker import Broker

    address = Broker(settings.home).status().bootstrap_servers
    if not address:
        raise TerminalError(
            "no Kafka broker",
            str(settings.home / "broker"),
            "run `plumbline broker start`, name yours with --bootstrap-servers, or use --source files --files GLOB",
        )
    return address


def open_warehouse(settings: Settings, limits: Limits | None = None, *, keeps_log: bool = False) -> Warehouse:
    """Return the home's warehouse, open for writing, with the catalog's tables as the file has them.

    Parameters
    ----------
    keeps_log : bool
        For a command that runs until it is stopped: `Warehouse.keep_log`.
    """
    from pipelines.contracts.catalog import load_catalog

    warehouse = Warehouse.open(settings.warehouse, limits=limits, writer=settings.writer)
    with warehouse.on_one_thread():
        _note_settings(warehouse, settings)
        marts.put_live_views(warehouse)
        if keeps_log:
            warehouse.keep_log()
        if settings.catalog is not None:
            store_catalog(warehouse, load_catalog(settings.catalog).tables())
    return warehouse


def _note_settings(warehouse: Warehouse, settings: Settings) -> None:
    """Tell the marts what they depend on, where it is not what they were told."""
    from pipelines.monitoring import monitor_settings

    budget = monitor_settings(settings).alarm_budget_per_week
    noted = pl.DataFrame(
        {"run_timeout_seconds": [settings.run_timeout_seconds], "alarm_budget_per_week": [float(budget)]}
    )
    known = warehouse.query("SELECT run_timeout_seconds, alarm_budget_per_week FROM stream_settings")
    if known.rows() == noted.rows():
        return

    def work(connection: Any) -> None:
        connection.execute("DELETE FROM stream_settings")
        warehouse.insert(connection, "stream_settings", noted)

    warehouse.transaction(work)


def store_catalog(warehouse: Warehouse, tables: dict[str, pl.DataFrame]) -> None:
    """Replace the catalog tables whole, where they differ."""
    if all(
        warehouse.query(f'SELECT * FROM "{name}" ORDER BY ALL').rows()  # noqa: S608 - a catalog table's name
        == sorted(frame.rows(), key=_nulls_last)
        for name, frame in tables.items()
    ):
        return

    def work(connection: Any) -> None:
        for name, frame in tables.items():
            connection.execute(f'DELETE FROM "{name}"')  # noqa: S608 - a catalog table's name
            warehouse.insert(connection, name, frame)

    warehouse.transaction(work)


def _nulls_last(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple((cell is None, cell if cell is not None else 0) for cell in row)


def moment(text: str, option: str) -> datetime:
    """Return the instant that a text says, in UTC without a zone; one without a zone is UTC, a day is its beginning.

    Raises
    ------
    TerminalError
        It says none.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise TerminalError(f"no time: {text[:40]!r}", option, "give one like 2026-09-14T09:30:00Z") from None
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at


def snapshot_or_moment(text: str | None) -> int | datetime | None:
    """Return what ``--as-of`` says: the number of a snapshot, or a moment; None where it is not given."""
    if text is None:
        return None
    return int(text) if text.isdecimal() and len(text) < 19 else moment(text, "--as-of")


#: ``--as-of`` of the commands that read.
AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME|SNAPSHOT",
        help="What the warehouse held then: a time (UTC where no zone is given) or a number of `plumbline snapshots`.",
    ),
]


def existing_warehouse(settings: Settings) -> Path:
    """Return the warehouse's directory.

    Raises
    ------
    TerminalError
        Nothing was ever stored in this home.
    """
    if not (settings.warehouse / "catalog.sqlite").exists():
        raise TerminalError("no warehouse yet", str(settings.home), "run `plumbline stream` or `plumbline demo` first")
    return settings.warehouse

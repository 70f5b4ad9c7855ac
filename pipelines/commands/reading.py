"""Commands that read: sql and its shell."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import polars as pl
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.commands.context import AsOf, confined, existing_warehouse, out, snapshot_or_moment
from pipelines.confining import reading_limits
from pipelines.errors import TerminalError
from warehouse.spreadsheets import unarmed

if TYPE_CHECKING:
    from warehouse import Reader

#: How a result may be written.
FORMS = ("table", "csv", "json", "parquet")


def sql(
    context: typer.Context,
    query: Annotated[str | None, typer.Argument(help="One SELECT statement; without it a shell opens.")] = None,
    form: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    describe: Annotated[
        str | None, typer.Option(metavar="TABLE", help="Say what a table holds: grain, keys, units, source, examples.")
    ] = None,
    as_of: AsOf = None,
) -> None:
    """Answer one SELECT from the warehouse, or any number in a shell; read only.

    Without a statement, one is read from stdin where that is no terminal.
    """
    from warehouse import Reader

    if form not in FORMS:
        raise TerminalError(f"unknown format {form!r}", "sql", f"use {', '.join(FORMS)}")
    if query is not None and describe is not None:
        raise TerminalError("a statement and --describe together", "sql", "give one of them")
    settings, then = confined(context), snapshot_or_moment(as_of)
    warehouse = existing_warehouse(settings)
    with Reader(warehouse, limits=reading_limits(), bounds=settings.bounds, as_of=then) as reader:
        if describe is not None:
            _describe(reader, describe, form)
        elif query is not None or not sys.stdin.isatty():
            write(reader.select(query if query is not None else sys.stdin.read()), form)
        else:
            from pipelines.commands import shell

            if as_of is not None:
                tell(f"as of {reader.snapshot()}")
            tell("\\? tells what the shell understands, \\d lists the tables, Ctrl-D leaves")
            shell.run(reader, shell.session_of(reader, settings.home / "sql_history"), lambda f: write(f, form), tell)


def _describe(reader: Reader, name: str, form: str) -> None:
    from pipelines.commands import shell
    from warehouse import describing

    if form == "table":
        shell.tell_table(reader, name, lambda frame: write(frame, form), tell)
    else:
        write(describing.describe(reader, describing.find(name)), form)


def tell(line: str) -> None:
    """Print a line for a person, as the text it is."""
    out.print(printable(line), markup=False, soft_wrap=True)


def write(frame: pl.DataFrame, form: str) -> None:
    """Write a result to stdout. Cells are text: nothing in them is markup, and CSV cells never start a formula."""
    if form == "parquet":
        if sys.stdout.isatty():
            raise TerminalError("parquet is binary", "stdout", "redirect it: > result.parquet")
        frame.write_parquet(sys.stdout.buffer)
    elif form == "csv":
        flat = _flat(frame)
        sys.stdout.write(
            flat.with_columns(unarmed(name) for name, kind in flat.schema.items() if kind == pl.String).write_csv()
        )
    elif form == "json":
        rows = [{name: plain(cell) for name, cell in row.items()} for row in frame.iter_rows(named=True)]
        print(json.dumps(rows, ensure_ascii=False, allow_nan=False))
    else:
        # Piped, a table is as wide as it needs: nothing is folded that a script would have to join again.
        console = out if out.is_terminal else Console(width=100_000, highlight=False)
        console.print(table(frame))


def plain(cell: object) -> object:
    """Return what JSON can hold of a value: times as text in UTC, bytes as hex, no infinities."""
    if (isinstance(cell, float) and cell != cell) or cell in (float("inf"), float("-inf")):
        return None
    if isinstance(cell, (str, int, float, bool)) or cell is None:
        return cell
    if isinstance(cell, Decimal):  # what SQL's sum() of whole numbers is
        return int(cell) if cell == cell.to_integral_value() else float(cell)
    if isinstance(cell, (list, tuple)):
        return [plain(item) for item in cell]
    if isinstance(cell, dict):
        return {str(key): plain(item) for key, item in cell.items()}
    if isinstance(cell, bytes):
        return cell.hex()
    return str(cell.isoformat()) + "Z" if hasattr(cell, "hour") else str(cell)  # pyright: ignore[reportAttributeAccessIssue]


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    nested = [name for name, kind in frame.schema.items() if kind.is_nested() or kind == pl.Binary]
    return frame.with_columns(
        pl.Series(
            name, [None if cell is None else json.dumps(plain(cell)) for cell in frame[name].to_list()], dtype=pl.String
        )
        for name in nested
    )


def table(frame: pl.DataFrame) -> Table:
    """Return a terminal table; cells are shown as the text they are."""
    grid = Table(show_edge=False, header_style="bold")
    for name, kind in frame.schema.items():
        grid.add_column(name, justify="right" if kind.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        grid.add_row(*(Text("" if cell is None else _cell(cell)) for cell in row))
    return grid


def _cell(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:,.6g}" if abs(cell) < 1e6 else f"{cell:,.0f}"
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    return printable(
        str(cell) if not isinstance(cell, (list, tuple, bytes)) else json.dumps(plain(cell), ensure_ascii=False)
    )


def printable(text: str) -> str:
    """Return the text without what would drive the terminal: control and direction characters from a trace."""
    return "".join(character if character.isprintable() or character == "\n" else "�" for character in text)


def export_path(path: Path) -> Path:
    """Return the directory to export to, made if absent."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TerminalError("cannot write there", str(path), error.strerror or "choose another directory") from None
    return path

"""Read the documentation that SQL files carry: a model's header, and the comments of a migration's tables.

One place for each truth: the header states grain, keys, columns, units and formulas; the data dictionary, Dagster's metadata
and the tests read it from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from warehouse.errors import WarehouseError


@dataclass(frozen=True, slots=True)
class Relation:
    """A documented table, view or mart.

    Parameters
    ----------
    kind : str
        ``table`` (raw facts, from a migration), ``view`` (staging) or ``mart``.
    name, grain : str
        Name, and the columns that tell one row from another.
    notes : tuple[str, ...]
        What a row is, then rules and formulas, a paragraph each.
    columns : dict[str, str]
        Description with unit and formula, by column, in order.
    group, keys, period, incremental, sql : str
        Of a model: Dagster's asset group, the columns that lead elsewhere, the one that tells a row's time (empty where a row
        is of no time: then it covers what is kept), ``run_id`` where each row follows from its run alone and ``date`` where it
        follows from the runs of its day (`warehouse.incremental`), and its SELECT.
    """

    kind: str
    name: str
    grain: str
    notes: tuple[str, ...]
    columns: dict[str, str]
    group: str = ""
    keys: str = ""
    period: str = ""
    incremental: str = ""
    sql: str = ""


_FIELD = re.compile(r"^(mart|view|table|group|grain|keys|period|incremental|columns): ?(.*)$")
_COLUMN = re.compile(r"^  (\w+): (.+)$")
_TABLE_COLUMN = re.compile(r'^    "?(\w+)"? [A-Z][^-]*?,?  -- (.+)$')
_DROPPED = re.compile(r"^DROP TABLE (\w+);", re.MULTILINE)
_ADDED_COLUMN = re.compile(r'^ALTER TABLE (\w+) ADD COLUMN "?(\w+)"? [^;]+;(?:  -- (.+))?$', re.MULTILINE)


def read_model(file: Path) -> Relation:
    """The mart or view of one file in ``warehouse/models``.

    Raises
    ------
    WarehouseError
        If its header lacks a field, or names another relation than its file.
    """
    lines = file.read_text(encoding="utf-8").split("\n")
    end = next((number for number, line in enumerate(lines) if not line.startswith("--")), len(lines))
    kind, fields, notes, columns, current = "", {}, [], {}, ""
    for line in (text[2:].removeprefix(" ") for text in lines[:end]):
        field, column = _FIELD.match(line), _COLUMN.match(line)
        if field:
            fields[field[1]] = field[2]
            kind = field[1] if field[1] in ("mart", "view") else kind
        elif "columns" in fields and column:
            current = column[1]
            columns[current] = column[2]
        elif "columns" in fields and current:
            columns[current] += " " + line.strip()
        else:
            notes.append(line)
    if (
        fields.get(kind) != file.stem
        or "grain" not in fields
        or not columns
        or (kind == "mart" and not fields.get("group"))
    ):
        raise WarehouseError(
            "the model's header is not complete",
            str(file),
            "state mart or view (the file's name), group, grain, columns",
        )
    return Relation(
        kind=kind,
        name=file.stem,
        grain=fields["grain"],
        notes=paragraphs(notes),
        columns=columns,
        group=fields.get("group", ""),
        keys=fields.get("keys", ""),
        period=fields.get("period", ""),
        incremental=fields.get("incremental", ""),
        sql="\n".join(lines[end:]).strip(),
    )


def read_tables(sql: str) -> list[Relation]:
    """The tables that a migration creates, from its ``-- table:`` comments and the comment after each column."""
    found: list[Relation] = []
    for block in sql.split("\n-- table: ")[1:]:
        lines = block.split("\n")
        header = [line[2:].removeprefix(" ") for line in lines[1:] if line.startswith("--")]
        start = next(number for number, line in enumerate(lines) if line.startswith("CREATE TABLE"))
        header = [line[2:].removeprefix(" ") for line in lines[1:start]]
        stop = next(number for number, line in enumerate(lines) if number > start and line.startswith(");"))
        matches = [_TABLE_COLUMN.match(line) for line in lines[start + 1 : stop]]
        if not all(matches):
            raise WarehouseError(
                "a column has no comment", f"table {lines[0]}", "write two spaces, --, and its meaning"
            )
        found.append(
            Relation(
                kind="table",
                name=lines[0].strip(),
                grain=next((line.removeprefix("grain: ") for line in header if line.startswith("grain: ")), ""),
                notes=paragraphs([line for line in header if not line.startswith("grain: ")]),
                columns={match[1]: match[2] for match in matches if match},
            )
        )
    return found


def read_dropped(sql: str) -> list[str]:
    """The tables of earlier migrations that a migration does away with."""
    return _DROPPED.findall(sql)


def read_added_columns(sql: str) -> list[tuple[str, str, str]]:
    """Table, column and description of each column that a migration adds to a table of an earlier one."""
    found = _ADDED_COLUMN.findall(sql)
    for table, column, description in found:
        if not description:
            raise WarehouseError(
                "an added column has no comment", f"table {table}, column {column}", "write two spaces, --, its meaning"
            )
    return found


def paragraphs(lines: list[str]) -> tuple[str, ...]:
    """Lines joined into paragraphs: a full stop at the end of a line ends one."""
    joined: list[str] = []
    for line in lines:
        if joined and not joined[-1].endswith("."):
            joined[-1] += " " + line.strip()
        elif line.strip():
            joined.append(line.strip())
    return tuple(joined)

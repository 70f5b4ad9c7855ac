"""The data dictionary: one page of every table, view and mart, made from the SQL files themselves.

``python -m warehouse.dictionary`` writes ``docs/data_dictionary.md``; a test fails while that file is not current.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from warehouse import marts
from warehouse.headers import Relation, read_added_columns, read_dropped, read_tables
from warehouse.migrate import migrations

FILE = Path(__file__).resolve().parents[1] / "docs" / "data_dictionary.md"

_INTRODUCTION = """\
# Data dictionary

Written by `python -m warehouse.dictionary` from the SQL in `warehouse/migrations` and `warehouse/models`: change it there.

Times are UTC (`_at`, and `at`, which SQL must quote: `"at"`), days are UTC days (`date`). Units are suffixes: `_usd` US
dollars, `_ms` milliseconds, `_tokens`, `_ratio` 0 to 1. Unknown is null, never 0.
"""

_SECTIONS = {
    "mart": ("Marts", "Built by Dagster from the raw tables (`plumbline refresh`). Start here."),
    "view": ("Staging views", "Between the raw tables and the marts."),
    "table": (
        "Raw tables",
        "Written by the stream as it reads, and from the catalog; `release_comparisons`, `budgets_monthly`, "
        "`budget_events` and `check_results` by Dagster.",
    ),
}


def raw_tables() -> list[Relation]:
    """The raw tables, in the order of the migrations, with the columns that later ones add."""
    found = {table.name: table for migration in migrations() for table in read_tables(migration.sql)}
    for migration in migrations():
        for table, column, description in read_added_columns(migration.sql):
            found[table] = replace(found[table], columns={**found[table].columns, column: description})
        for table in read_dropped(migration.sql):
            del found[table]
    return list(found.values())


def relations() -> list[Relation]:
    """Everything an analyst can read: marts, views, raw tables."""
    models = list(marts.models().values())
    return [
        *(model for model in models if model.kind == "mart"),
        *(model for model in models if model.kind == "view"),
        *raw_tables(),
    ]


def render() -> str:
    """The dictionary as Markdown."""
    found = relations()
    parts = [_INTRODUCTION, "| name | what a row is |\n|---|---|"]
    parts[-1] += "".join(f"\n| [`{one.name}`](#{one.name}) | {_cell(one.notes[0])} |" for one in found)
    for kind, (title, note) in _SECTIONS.items():
        parts.append(f"## {title}\n\n{note}")
        parts += [_entry(one) for one in found if one.kind == kind]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _entry(one: Relation) -> str:
    facts = f"Grain: {one.grain}."
    if one.keys:
        facts += f" Keys: {one.keys}."
    reads = sorted(marts.upstream(one.name)) if one.kind != "table" else []
    if reads:
        facts += " Reads: " + ", ".join(f"[`{name}`](#{name})" for name in reads) + "."
    rows = "".join(f"\n| `{name}` | {_cell(text)} |" for name, text in one.columns.items())
    notes = "\n\n".join(one.notes)
    return f"### {one.name}\n\n{notes}\n\n{facts}\n\n| column | meaning |\n|---|---|{rows}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")

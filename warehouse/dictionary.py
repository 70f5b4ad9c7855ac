"""The data dictionary: one page of every table, view and mart, made from the SQL files themselves.

``python -m warehouse.dictionary`` writes ``docs/data_dictionary.md``; a test fails while that file is not current.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from warehouse import describing, marts, stable
from warehouse.headers import Relation, read_added_columns, read_dropped, read_tables
from warehouse.migrate import migrations

FILE = Path(__file__).resolve().parents[1] / "docs" / "data_dictionary.md"

_INTRODUCTION = """\
# Data dictionary

Written by `python -m warehouse.dictionary` from the SQL in `warehouse/migrations` and `warehouse/models`: change it there.

Times are UTC (`_at`, and `at`, which SQL must quote: `"at"`; the [stable views](#stable-views) have `occurred_at`),
days are UTC days (`date`). Units are suffixes: `_usd` US
dollars, `_ms` milliseconds, `_tokens`, `_ratio` 0 to 1. Unknown is null, never 0. Examples are of a simulated fleet.
`plumbline sql --describe TABLE` says the same with types and values of your own,
and the comments in the catalog hold it for any client.
"""

# Who writes a raw table.
_SOURCES = {
    **dict.fromkeys(
        ("spans", "policy_decisions", "approvals", "rollbacks", "overrides", "tool_requests"),
        "the stream, from the spans it reads",
    ),
    "outcomes": "the stream, from spans and from topic agent_outcomes",
    "dead_letters": "the stream, from what it could not read",
    "redeliveries": "the stream, from spans that came again",
    "consumed_offsets": "the stream, in the transaction of each batch",
    **dict.fromkeys(("signals", "incidents"), "the stream's detectors and rules"),
    "detector_streams": "the stream's detectors, at their checkpoints",
    "incident_changes": "the stream's detectors and rules, plumbline alerts, plumbline api",
    **dict.fromkeys(("notifications", "delivery_attempts"), "whoever delivers: the stream or plumbline alerts deliver"),
    "check_results": "Dagster's asset checks",
    "operational_events": "the stream",
    "applied_acknowledgements": "the stream, from acknowledgements",
    "stream_settings": "the settings of whoever opened the warehouse last for writing",
    "price_list": "the stream, from genai-prices and the catalog's prices",
    **dict.fromkeys(
        (
            f"catalog_{name}"
            for name in ("workflows", "tools", "components", "policies", "budgets", "currencies", "prices")
        ),
        "catalog.yaml",
    ),
    "acknowledgements": "plumbline alerts ack and resolve, plumbline api, and the stream where every stream is back",
    "drills": "plumbline drill",
    "bill_lines": "plumbline import",
    "repriced_calls": "plumbline backfill",
    "release_comparisons": "Dagster, from runs",
    **dict.fromkeys(("budgets_monthly", "budget_events"), "Dagster, from cost_by_day and catalog_budgets"),
    "retention": "the retention job",
    "schema_migrations": "each start of a newer version",
}

# What a column of that name leads to.
_LEADS_TO = {
    "run_id": "runs",
    "incident_id": "incidents",
    "acknowledgement_id": "acknowledgements",
    "price_id": "price_list",
    "drill_id": "drills",
    "tool_name": "catalog_tools",
    "workflow": "catalog_workflows",
}
# Left out of the diagram: bookkeeping, and roll-ups of roll-ups.
_DRAWN_WORKFLOW = ("runs", "incidents", "cost_by_day", "scorecard_daily", "rollback_readiness", "reliability_contract")

_SECTIONS = {
    "mart": ("Marts", "Built by Dagster from the raw tables (`plumbline refresh`). Start here."),
    "view": ("Staging views", "Between the raw tables and the marts."),
    "table": (
        "Raw tables",
        "Written by the stream as it reads, and from the catalog; `release_comparisons`, `budgets_monthly`, "
        "`budget_events` and `check_results` by Dagster.",
    ),
}


_STABLE = """\
## Stable views

For saved reports: names, types and meanings change only under a new version ([more](warehouse.md#ways-in)), and no column needs
quotes. A view has the columns of its table; those under another name are given here. `plumbline sql --describe VIEW` tells all.

| view | of | column | is |
|---|---|---|---|"""


def _stable_row(view: Relation) -> str:
    table = stable.table_of(view.name)
    renamed = [(each.column, each.source.strip('"')) for each in stable.views()[view.name] if each.source]
    names, others = (", ".join(f"`{pair[side]}`" for pair in renamed) for side in (0, 1))
    return f"\n| `{view.name}` | [`{table}`](#{table}) | {_cell(names)} | {_cell(others)} |"


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


def source_of(relation: Relation) -> str:
    """Where the rows of a relation come from, in a few words."""
    if relation.kind == "table":
        return _SOURCES[relation.name]
    if relation.kind == "stable view":
        return f"the columns of {stable.table_of(relation.name)}"
    return "computed from " + ", ".join(sorted(marts.upstream(relation.name)))


def diagram() -> str:
    """The entity diagram, as Mermaid: which column of which table leads to which other."""
    lines = ["```mermaid", "erDiagram"]
    for one in relations():
        for column, other in _LEADS_TO.items():
            drawn = one.kind != "view" and (column != "workflow" or one.name in _DRAWN_WORKFLOW)
            if column in one.columns and other != one.name and drawn:
                end = "||" if one.grain == column else "o{"
                lines.append(f"    {other} ||--{end} {one.name} : {column}")
    return "\n".join([*lines, "```"])


def render() -> str:
    """The dictionary as Markdown."""
    found = relations()
    parts = [_INTRODUCTION, "| name | what a row is |\n|---|---|"]
    parts[-1] += "".join(f"\n| [`{one.name}`](#{one.name}) | {_cell(one.notes[0])} |" for one in found)
    parts.append("## How they lead to one another\n\n" + diagram())
    for kind, (title, note) in _SECTIONS.items():
        parts.append(f"## {title}\n\n{note}")
        parts += [_entry(one) for one in found if one.kind == kind]
    parts.append(_STABLE + "".join(_stable_row(one) for one in stable.relations(found)))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _entry(one: Relation) -> str:
    facts = f"Grain: {one.grain}."
    if one.keys:
        facts += f" Keys: {one.keys}."
    reads = sorted(marts.upstream(one.name)) if one.kind != "table" else []
    if reads:
        facts += " Reads: " + ", ".join(f"[`{name}`](#{name})" for name in reads) + "."
    else:
        facts += f" Source: {source_of(one)}."
    rows = "".join(
        f"\n| `{column.name}` | {_cell(column.meaning)} | {column.unit} | {_code(column.example)} |"
        for column in describing.columns(one)
    )
    notes = "\n\n".join(one.notes)
    return f"### {one.name}\n\n{notes}\n\n{facts}\n\n| column | meaning | unit | example |\n|---|---|---|---|{rows}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")

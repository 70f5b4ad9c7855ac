"""``plumbline audit``: the narrative of one run, and what of it is missing."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from pipelines.commands.context import existing_warehouse, out, settings_of
from pipelines.commands.reading import plain
from pipelines.errors import TerminalError
from warehouse import read_only
from warehouse.audited import narrative, told


def audit(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(help="The run, as in table runs.")],
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Tell one run: who asked, versions, sources, tools, decisions, approvals, changes, cost, outcome, and what is missing."""
    if form not in ("text", "json"):
        raise TerminalError(f"unknown format {form!r}", "audit", "use text or json")
    with read_only(existing_warehouse(settings_of(context))) as lake:
        if lake.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'audit_by_run'").item() == 0:
            raise TerminalError("there are no runs yet", "audit", "run `plumbline refresh` first")
        story = narrative(lake, run_id)
    if story is None:
        todo = "run `plumbline refresh` if it is new; ids stand in table runs"
        raise TerminalError(f"no run {run_id[:80]!r}", "audit", todo)
    if form == "json":
        missing = [{"what": what, "todo": todo} for what, todo in story.missing]
        print(json.dumps(plain({"run": story.run, "events": story.events, "missing": missing}), ensure_ascii=False))
        return
    for line in told(story):
        out.print(line, markup=False, highlight=False, soft_wrap=True)

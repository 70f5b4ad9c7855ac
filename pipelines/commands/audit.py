"""``plumbline audit``: the narrative of one run, and what of it is missing."""

from __future__ import annotations

import json
from typing import Annotated

import duckdb
import typer

from pipelines.commands.context import AsOf, existing_warehouse, out, settings_of, snapshot_or_moment
from pipelines.commands.reading import plain
from pipelines.errors import TerminalError
from warehouse import read_only, snapshots
from warehouse.audited import narrative, told


def audit(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(help="The run, as in table runs.")],
    form: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    as_of: AsOf = None,
) -> None:
    """Tell one run: who asked, versions, sources, tools, decisions, approvals, changes, cost, outcome, and what is missing.

    With --as-of it tells what was known of the run then: before a late outcome came, or before it was priced anew.
    """
    if form not in ("text", "json"):
        raise TerminalError(f"unknown format {form!r}", "audit", "use text or json")
    with read_only(existing_warehouse(settings_of(context)), as_of=snapshot_or_moment(as_of)) as lake:
        snapshot = snapshots.current(lake.connection)
        then = "" if as_of is None else f" as of {snapshot}"
        if lake.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'audit_by_run'").item() == 0:
            todo = (
                "run `plumbline refresh` first"
                if as_of is None
                else "`plumbline snapshots --table runs` lists later ones"
            )
            raise TerminalError(f"there are no runs yet{then}", "audit", todo)
        try:
            story = narrative(lake, run_id)
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            if as_of is None:
                raise
            raise TerminalError(
                f"the marts{then} lack what this version tells", "audit", "ask them by `plumbline sql --as-of`"
            ) from error
    if story is None:
        todo = "run `plumbline refresh` if it is new; ids stand in table runs"
        if as_of is not None:
            todo = "a run is known from the refresh after it on: `plumbline snapshots --table runs` lists them"
        raise TerminalError(f"no run {run_id[:80]!r}{then}", "audit", todo)
    if form == "json":
        missing = [{"what": what, "todo": todo} for what, todo in story.missing]
        told_as_of = {"snapshot_id": story.as_of.id, "committed_at": story.as_of.at}
        document = {"run": story.run, "events": story.events, "missing": missing, "as_of": told_as_of}
        print(json.dumps(plain(document), ensure_ascii=False))
        return
    for line in told(story):
        out.print(line, markup=False, highlight=False, soft_wrap=True)

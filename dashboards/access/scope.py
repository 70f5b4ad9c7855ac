"""What a viewer of some teams sees of the warehouse: a view in front of every table, and no table itself.

The views stand in the connection's own database in memory, named as the tables are, and that database is the one in use: an
unqualified name means the view and nothing else, in this connection and in every cursor of it. What no rule lets through is
empty, and a table that came later has no view at all, so that a query which names it fails rather than tells.

Whose a workflow is: the catalog says; where it names no team, more than half of its runs must name one of the viewer's.
A run, its spans and whatever else carries its id follow the run. Rows of the whole fleet and of several workflows are nobody's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Set
from functools import cache
from pathlib import Path

from warehouse import Warehouse, marts

_SQL = Path(__file__).parent / "sql"

_OF_WORKFLOW = "workflow IN (SELECT workflow FROM memory.main.visible_workflows)"
_OF_RUN = "run_id IN (SELECT run_id FROM memory.main.runs)"
_OF_INCIDENT = "incident_id IN (SELECT incident_id FROM memory.main.incidents)"
_OF_NOTIFICATION = "notification_id IN (SELECT notification_id FROM memory.main.notifications)"
_OF_TEAM = "team IN (SELECT team FROM memory.main.visible_teams)"
_OF_BUDGET = (
    "(scope = 'workflow' AND name IN (SELECT workflow FROM memory.main.visible_workflows)) "
    "OR (scope = 'team' AND name IN (SELECT team FROM memory.main.visible_teams))"
)
_BUDGETS = frozenset({"budgets_monthly", "budget_events", "catalog_budgets"})
_NAMED = frozenset({"runs", "incidents", "notifications"})

# What says nothing of any workflow: list prices, the catalog's tools, components and policies, and the stream's settings.
_SHARED = frozenset(
    {"price_list", "catalog_tools", "catalog_components", "catalog_policies", "catalog_currencies", "stream_settings"}
)

# A catalog that gives a workflow to another team takes effect so soon, in seconds, without a mart being built.
_RENEWED_SECONDS = 60.0


class Scope:
    """The views of some teams in one warehouse.

    Parameters
    ----------
    teams : frozenset of str
        Whose workflows are seen; empty sees none.
    """

    def __init__(self, teams: frozenset[str]) -> None:
        self.teams = teams
        self._built: int | None = None
        self._renew_at = 0.0
        self._lock = threading.Lock()

    def put(self, warehouse: Warehouse) -> None:
        """Put the views in front of the tables of `warehouse`, a connection of this scope alone."""
        with self._lock:
            self._put(warehouse)

    def renew(self, warehouse: Warehouse) -> None:
        """Put them anew where a mart was built since, or a minute has passed."""
        with self._lock:
            if time.monotonic() >= self._renew_at or self._built != _built(warehouse):
                self._put(warehouse)

    def _put(self, warehouse: Warehouse) -> None:
        self._built, self._renew_at = _built(warehouse), time.monotonic() + _RENEWED_SECONDS
        tables = {name: set(columns) for name, columns in warehouse.query(_text("scoped_columns")).iter_rows()}
        live = [(name, model.sql) for name, model in marts.models().items() if model.kind == "view" and name in tables]
        warehouse.query("USE memory.main")
        warehouse.query("BEGIN TRANSACTION")
        try:
            teams = [sorted(self.teams)]
            warehouse.query(_text("visible_teams"), teams)
            warehouse.query("CREATE OR REPLACE TABLE visible_workflows (workflow VARCHAR)")
            warehouse.query(_text("of_catalog"), teams)
            if "runs" in tables:
                warehouse.query(_text("of_runs"), teams)
            # Those first that the rules of others name.
            for name in sorted(tables.keys() - dict(live).keys(), key=lambda name: (name not in _NAMED, name)):
                rule = rule_of(name, tables[name], tables.keys())
                warehouse.query(
                    f"CREATE OR REPLACE VIEW {_quoted(name)} AS FROM lake.main.{_quoted(name)} WHERE {rule}"
                )
            # A view of the product's own is made again from its statement, over the views above.
            for name, sql in live:
                warehouse.query(f"CREATE OR REPLACE VIEW {_quoted(name)} AS {sql}")
            warehouse.query("COMMIT")
        except BaseException:
            warehouse.query("ROLLBACK")
            raise


def rule_of(name: str, columns: Set[str], tables: Set[str]) -> str:
    """Which rows of a table of the lake a scope lets through, as a condition.

    Parameters
    ----------
    name : str
        The table.
    columns : set of str
        Its columns.
    tables : set of str
        The tables that are there.
    """
    if name in _SHARED:
        return "TRUE"
    # A span is named as its sender likes; what a run holds belongs to the run. The marts know their run's workflow.
    is_fact = name not in marts.names()
    if is_fact and name != "runs" and "run_id" in columns and "runs" in tables:
        return _OF_RUN
    if "workflow" in columns:
        return _OF_WORKFLOW
    if "incident_id" in columns:
        return _OF_INCIDENT
    if "notification_id" in columns:
        return _OF_NOTIFICATION
    if name in _BUDGETS:
        return _OF_BUDGET
    return _OF_TEAM if "team" in columns else "FALSE"


def _built(warehouse: Warehouse) -> int | None:
    return warehouse.query(_text("built")).item()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@cache
def _text(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")

"""What a viewer of some teams sees of the warehouse: a view in front of every table, and no table itself.

The views stand in the connection's own database in memory, named as the tables are, and that database is the one in use: an
unqualified name means the view and nothing else, in this connection and in every cursor of it. What no rule lets through is
empty, and a table that came later has no view at all, so that a query which names it fails rather than tells.

Whose a workflow is: the catalog says; where it names no team, more than half of its runs must name one of the viewer's.
A run, its spans and whatever else carries its id follow the run. Rows of the whole fleet and of several workflows are nobody's;
two marts have totals of the scope's own in their place, never averages of ratios.
"""

from __future__ import annotations

import time
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import polars as pl

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

# Marts with rows of the whole fleet, in whose place a scope has rows of its own: ``sql/NAME.sql``.
_WITH_TOTALS = frozenset({"reuse_daily", "scorecard_daily"})
# One team's row of the scorecard is its total; that of several teams is made of what the mart is made of, where that is there.
_SCORECARD, _OF_TEAMS = "scorecard_daily", "scorecard_of_teams"

# So often it is looked at whether a mart was built anew, in seconds; and so often what is seen is asked again all the same, for a
# catalog that gives a workflow to another team.
_LOOKED_SECONDS, _RENEWED_SECONDS = 1.0, 60.0


class Asked(Protocol):
    """A warehouse, or another connection to it."""

    def query(self, sql: str, params: Sequence[Any] = ()) -> pl.DataFrame:
        """Rows of a statement."""
        ...


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the views depend on: the workflows that are seen, and the columns of each table."""

    workflows: frozenset[str]
    tables: dict[str, tuple[str, ...]]


class Scope:
    """The views of some teams in one warehouse.

    Parameters
    ----------
    teams : frozenset of str
        Whose workflows are seen; empty sees none.

    Attributes
    ----------
    version : int
        Rises when other workflows are seen, or tables have other columns: the views are put anew then, and pages made anew.
    """

    def __init__(self, teams: frozenset[str]) -> None:
        self.teams = teams
        self.version = 0
        self._seen: _Seen | None = None
        self._built: int | None = None
        self._look_at = self._renew_at = 0.0

    def renew(self, warehouse: Asked) -> None:
        """Look whether the views that were put still show what they should; if not, `version` rises."""
        now = time.monotonic()
        if now < self._look_at:
            return
        built = _built(warehouse)
        self._look_at = now + _LOOKED_SECONDS
        if built == self._built and now < self._renew_at:
            return
        self._built, self._renew_at = built, now + _RENEWED_SECONDS
        if self._found(warehouse) != self._seen:
            self.version += 1

    def _found(self, warehouse: Asked) -> _Seen:
        tables = {name: tuple(columns) for name, columns in warehouse.query(_text("scoped_columns")).iter_rows()}
        teams = [sorted(self.teams)]
        workflows = set(warehouse.query(_text("of_catalog"), teams)["workflow"])
        if "runs" in tables:
            workflows |= set(warehouse.query(_text("of_runs"), teams)["workflow"])
        return _Seen(frozenset(workflows), tables)

    def put(self, warehouse: Warehouse) -> None:
        """Put the views in front of the tables of `warehouse`, a connection of this scope alone that has none yet."""
        self._built, self._renew_at = _built(warehouse), time.monotonic() + _RENEWED_SECONDS
        seen = self._seen = self._found(warehouse)
        live = [
            (name, model.sql) for name, model in marts.models().items() if model.kind == "view" and name in seen.tables
        ]
        tables = seen.tables.keys()
        warehouse.query("USE memory.main")
        warehouse.query(_text("visible_teams"), [sorted(self.teams)])
        warehouse.query(_text("visible_workflows"), [sorted(seen.workflows)])
        # Those first that the rules of others name.
        for name in sorted(tables - dict(live).keys(), key=lambda name: (name not in _NAMED, name)):
            rule = rule_of(name, set(seen.tables[name]), tables)
            total = _OF_TEAMS if name == _SCORECARD and len(self.teams) > 1 and marts.upstream(name) <= tables else name
            rows = _text(total) if name in _WITH_TOTALS else f"FROM lake.main.{_quoted(name)} WHERE {rule}"
            warehouse.query(f"CREATE VIEW {_quoted(name)} AS {rows}")
        # A view of the product's own is made again from its statement, over the views above.
        for name, sql in live:
            warehouse.query(f"CREATE VIEW {_quoted(name)} AS {sql}")


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


def _built(warehouse: Asked) -> int | None:
    return warehouse.query(_text("built")).item()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@cache
def _text(name: str) -> str:
    return (_SQL / f"{name}.sql").read_text(encoding="utf-8")

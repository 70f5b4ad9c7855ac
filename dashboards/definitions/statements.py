"""The SQL behind a figure: the query that the page runs, and the statement that makes each table which that reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dashboards.definitions import DEFINITIONS
from warehouse.describing import find
from warehouse.errors import WarehouseError
from warehouse.registry import MODELS

_QUERIES = Path(__file__).parents[1] / "queries"

# Figure → queries in `queries/` that read it for a page. Of a figure that is not here, those that read its first table.
READ_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("cost_per_success", "cost", "runs", "success_ratio", "unsuccessful_spend", "made_of", "price_coverage"),
        ("cohorts",),
    ),
    "tool_spend": ("tool_spend",),
    "reuse_ratio": ("reuse",),
    "clone_candidates": ("clones", "invocations"),
    "rollback_readiness": ("rollback",),
    "policy_adherence": ("cohorts",),
    **dict.fromkeys(("open_incidents", "incident_timeline"), ("incidents", "signals")),
    "verdict": ("cohorts", "incidents", "rollback"),
    **dict.fromkeys(("two_sample", "causes"), ("signals",)),
    "evidence": ("signals", "run_values", "tool_values", "policy_values"),
    "precision": ("precision", "judgements"),
    "component_uses": ("component_uses",),
    "components_certified": ("component_uses",),
    "readiness_links": ("rollback",),
    "readiness_trend": ("rollback_days",),
    "drills": ("drills",),
    "runs_found": ("runs_newest", "runs_found", "runs_marked", "runs_listed"),
    "span_tree": ("run_spans",),
    "audit": ("run_spans",),
}


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL file, or a table that is filled and not computed.

    Parameters
    ----------
    anchor : str
        Its id on the page of figures.
    name : str
        Query, mart, view or table.
    kind : str
        ``query``, ``mart``, ``view`` or ``table``.
    meaning : str
        First line of what the file says of itself.
    sql : str
        Its text; empty for a table, whose rows come from the stream or the catalog.
    """

    anchor: str
    name: str
    kind: str
    meaning: str
    sql: str


def behind(key: str) -> list[Statement]:
    """What makes figure `key`: its queries first, then the tables of its definition."""
    return [*map(query, _queries_of(key)), *filter(None, map(table, DEFINITIONS[key].tables))]


@cache
def query(name: str) -> Statement:
    """A query of the dashboards."""
    text = (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")
    return Statement(f"query-{name}", name, "query", text.partition("\n")[0].removeprefix("-- "), text)


@cache
def table(name: str) -> Statement | None:
    """A mart, a view or a table of the warehouse; None where there is none of that name."""
    try:
        relation = find(name)
    except WarehouseError:
        return None
    file = next(MODELS.glob(f"*/{name}.sql"), None)
    text = file.read_text(encoding="utf-8") if file else ""
    return Statement(f"table-{name}", name, relation.kind, relation.notes[0] if relation.notes else "", text)


@cache
def _queries_of(key: str) -> tuple[str, ...]:
    if key in READ_BY:
        return READ_BY[key]
    first = DEFINITIONS[key].tables[:1]
    reads = re.compile(rf"\b(?:FROM|JOIN)\s+{re.escape(first[0])}\b") if first else None
    files = sorted(_QUERIES.glob("*.sql"))
    return tuple(file.stem for file in files if reads and reads.search(file.read_text(encoding="utf-8")))

"""What may be told of, read from the tables that are there: incidents, and conditions that a query sees begin and end.

A condition is open while its query says so, and resolved by itself when that says so no more; a condition that nobody was told
of is not told to be over. A table that is not built yet has nothing to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from pipelines.alerts.incidents import digest
from pipelines.notifications.incident_subjects import incident_subjects
from pipelines.notifications.subject import Subject
from warehouse import Warehouse

#: Share of a workflow's settled runs whose decision path should be rebuildable.
AUDIT_LEAST = 0.95
#: Share of a model's calls that should have a price: that of the check `prices_are_known`.
PRICED_LEAST = 0.95
#: Trouble of a worker that is older was told, or nobody listened then.
EVENTS_FOR = timedelta(days=7)
_QUERIES = Path(__file__).parent / "queries"
_Row = dict[str, Any]
__all__ = ["conditions", "incident_subjects"]


@cache
def _sql(name: str) -> str:
    return (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")


def conditions(warehouse: Warehouse, now: datetime) -> list[Subject]:
    """Return every condition as it stands, and what happened in the last days.

    Parameters
    ----------
    now : datetime
        UTC without a zone.
    """
    there = {
        row[0] for row in warehouse.query("SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'").rows()
    }
    readers: list[tuple[str, str, dict[str, Any], Callable[[_Row], Iterator[Subject]]]] = [
        ("budgets_monthly", "budgets", {}, _budget),
        ("budgets_monthly", "rungs", {}, _rung),
        ("rollback_readiness", "readiness", {}, _readiness),
        ("audit_by_run", "audit", {"least": AUDIT_LEAST}, _audit),
        ("check_results", "quality", {}, _check),
        ("operational_events", "operational_events", {"since": now - EVENTS_FOR}, _event),
        ("dead_letters", "dead_letters", {"now": now}, _dead_letters),
        ("model_calls", "prices", {"least": PRICED_LEAST}, _prices),
    ]
    found: list[Subject] = []
    for table, query, parameters, read in readers:
        if table not in there:
            continue
        # A mart of an earlier version lacks a column until it is built anew: it has nothing to say until then.
        with suppress(duckdb.BinderException):
            rows = warehouse.connection.execute(_sql(query), parameters).pl()
            found += [subject for row in rows.iter_rows(named=True) for subject in read(row)]
    return found


def _condition(
    kind: str, name: tuple[object, ...], is_open: bool, severity: str, headline: str, at: datetime, **more: Any
) -> Subject:
    details = tuple((label, str(value)) for label, value in more.pop("details", ()) if value not in (None, ""))
    state = "open" if is_open else "resolved"
    name_of = digest(kind, *name)
    data = {"subject_id": name_of, "kind": kind, "state": state, "severity": severity, "headline": headline}
    return Subject(
        kind,
        name_of,
        state,
        severity,
        headline,
        at,
        more.pop("changed_at", at),
        occasion="opened" if is_open else "resolved",
        details=details,
        data={**data, "details": [list(pair) for pair in details]},
        **more,
    )


def _of(row: _Row) -> str:
    return "the fleet" if row["scope"] == "fleet" else f"{row['scope'].replace('_', ' ')} {row['name']}"


def _whose(row: _Row) -> dict[str, str | None]:
    """Return workflow and team of a budget's row: a cost center and the fleet are neither."""
    return {
        "workflow": row["name"] if row["scope"] == "workflow" else None,
        "team": row["name"] if row["scope"] == "team" else row["team"],
    }


def _budget(row: _Row) -> Iterator[Subject]:
    at = datetime.combine(row["month"], datetime.min.time())
    key, month = (row["scope"], row["name"], row["month"]), f"{row['month']:%Y-%m}"
    common = {"changed_at": row["computed_at"], "family": "cost", **_whose(row)}
    spent = [("Month", month), ("Spent", _usd(row["spent_usd"])), ("Budget", _usd(row["budget_usd"]))]
    # Without its numbers, which change with every run: the state is told once.
    if row["burn_1d"] is not None and row["burn_7d"] is not None:
        headline = f"budget of {_of(row)} burns {row['burn_7d']:.1f} times as fast as it lasts"
        details = [*spent, ("Burn, last day", f"{row['burn_1d']:.2f}"), ("Burn, 7 days", f"{row['burn_7d']:.2f}")]
        yield _condition("budget", ("burn", *key), row["burns"], "warning", headline, at, details=details, **common)
    if row["landing_usd"] is not None:
        headline = f"{_of(row)} will land at {_usd(row['landing_usd'])} of {_usd(row['budget_usd'])} in {month}"
        details = [
            *spent,
            (
                "Landing",
                f"{_usd(row['landing_usd'])}, 90 % {_usd(row['landing_low_usd'])} to {_usd(row['landing_high_usd'])}",
            ),
        ]
        severity = "critical" if row["is_certain"] else "warning"
        yield _condition("forecast", key, row["lands_over"], severity, headline, at, details=details, **common)


def _rung(row: _Row) -> Iterator[Subject]:
    headline = f"{_of(row)} has spent {row['rung']:.0%} of its budget of {row['month']:%Y-%m}".replace("%", " %")
    details = [("Spent", _usd(row["spent_usd"])), ("Budget", _usd(row["budget_usd"])), ("Passed on", row["passed_on"])]
    severity = {0.5: "info", 0.8: "warning"}.get(row["rung"], "critical")
    at = datetime.combine(row["passed_on"], datetime.min.time())
    more = {"changed_at": row["noted_at"], "family": "cost", "is_instant": True, **_whose(row)}
    yield _condition("budget", ("rung", row["event_id"]), True, severity, headline, at, details=details, **more)


def _readiness(row: _Row) -> Iterator[Subject]:
    score = "not provable" if row["score"] is None else f"{row['score']:.2f}"
    headline = (
        f"rollback readiness of {row['workflow']} is under its objective: {score}, weakest link {row['weakest_link']}"
    )
    details = [
        ("Weakest link", row["weakest_link"]),
        ("What is wrong", row["detail"]),
        ("To do", row["to_do"]),
        ("Objective", f"{row['objective_minutes']:g} min"),
    ]
    severity = "critical" if row["score"] == 0 else "warning"
    more = {"workflow": row["workflow"], "team": row["team"], "details": details}
    yield _condition("readiness", (row["workflow"],), row["is_under"], severity, headline, row["as_of"], **more)


def _audit(row: _Row) -> Iterator[Subject]:
    headline = (
        f"{_share(row['complete_ratio'])} of the runs of {row['workflow']} can be audited, {_share(AUDIT_LEAST)} should"
    )
    details = [("Runs", f"{row['runs']:,} in 7 days"), ("Most often missing", row["most_missing"])]
    more = {"workflow": row["workflow"], "team": row["team"], "details": details, "changed_at": row["last_at"]}
    yield _condition("audit", (row["workflow"],), row["is_under"], "warning", headline, row["first_at"], **more)


def _check(row: _Row) -> Iterator[Subject]:
    severity = "critical" if row["is_blocking"] else "warning"
    headline = f"check {row['check_name']} fails" + (
        ": marts behind it keep their last rows" if row["is_blocking"] else ""
    )
    details = [("Found", row["summary"])]
    yield _condition(
        "quality", (row["check_name"],), not row["passed"], severity, headline, row["since_at"], details=details
    )


def _event(row: _Row) -> Iterator[Subject]:
    data = {**row, "at": row["at"].isoformat() + "Z"}
    yield Subject(
        "operation",
        row["event_id"],
        "open",
        "critical" if row["kind"] == "expired_messages" else "warning",
        row["headline"],
        row["at"],
        row["at"],
        is_instant=True,
        details=(("Topic", f"{row['topic']}[{row['partition']}]@{row['offset']}"),),
        data=data,
    )


def _dead_letters(row: _Row) -> Iterator[Subject]:
    headline = f"messages of {row['topic']} can't be read"
    details = [
        ("In the last hour", f"{row['letters_last_hour']:,}"),
        ("In 7 days", f"{row['letters']:,}"),
        ("Most often", row["most_reason"]),
        ("To do", "plumbline dead-letters list"),
    ]
    more = {"details": details, "changed_at": row["last_at"]}
    is_open = row["letters_last_hour"] > 0
    yield _condition("operation", ("dead letters", row["topic"]), is_open, "warning", headline, row["first_at"], **more)


def _prices(row: _Row) -> Iterator[Subject]:
    headline = f"{_share(row['coverage_ratio'])} of the calls of {row['model']} have a price: costs are understated"
    details = [("Calls", f"{row['calls']:,} in 7 days"), ("To do", "give its price in the catalog: docs/prices.md")]
    more = {"details": details, "family": "cost", "changed_at": row["last_at"]}
    yield _condition(
        "operation", ("prices", row["model"]), row["is_under"], "warning", headline, row["first_at"], **more
    )


def _usd(value: float | None) -> str:
    return "unknown" if value is None else f"${value:,.2f}"


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"

"""A signal explains itself: what runs say about it, which of them show it, what changed near its onset, and what may be done."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from pipelines.alerts.causes import Onset, closeness, likely, ordered, ranked, said
from pipelines.alerts.containment import Allowed, Record, Situation, actions
from pipelines.alerts.return_tests import return_test_of
from pipelines.alerts.samples import Sample, compared, samples_of, showing, sql
from pipelines.alerts.wording import headline
from pipelines.stages.observe import BY_ENVIRONMENT
from pipelines.stages.rules import Declared
from warehouse import Warehouse

MOST_RUNS = 5
_MOST_CAUSES = 5
#: Prices explain money only; elsewhere a price that changes does so with its model.
_ONLY_COST = ("price_id",)
#: One run broke a rule, or spiked: of it alone, only what so many runs before did not have can be the cause.
_NEW = 0.9


def explained(
    signals: pl.DataFrame,
    warehouse: Warehouse,
    timeout: timedelta,
    policies: pl.DataFrame,
    declared: Declared | None = None,
) -> list[dict[str, Any]]:
    """Return the signals as rows of table ``signals``, with everything that explains them filled in.

    Parameters
    ----------
    signals : pl.DataFrame
        As the detectors give them.
    timeout : timedelta
        After which a run without a root closes.
    policies : pl.DataFrame
        catalog_policies.
    declared : Declared, optional
        What else the catalog says that rules are about.
    """
    allowed = _allowed(signals["workflow"].unique().to_list(), warehouse)
    dated = [{**signal, "onset_at": signal["onset_at"] or signal["at"]} for signal in signals.iter_rows(named=True)]
    samples = samples_of(dated, warehouse, timeout, policies, declared)
    return [
        _explained(signal, sample, policies, allowed[signal["workflow"]])
        for signal, sample in zip(dated, samples, strict=True)
    ]


def _explained(
    signal: dict[str, Any],
    sample: Sample,
    policies: pl.DataFrame,
    allowed: Allowed,
) -> dict[str, Any]:
    onset = Onset(
        at=signal["onset_at"],
        low_at=signal.get("onset_low_at") or signal["onset_at"],
        high_at=signal.get("onset_high_at") or signal["onset_at"],
        alarm_at=signal["at"],
    )
    causes = ranked(sample.runs, onset, leave_out=() if signal["family"] == "cost" else _ONLY_COST)
    if signal["metric"] == "outdated_policy":
        causes = ordered([*causes, *_taking_effect(policies, onset)])
    of_one_run = signal["kind"] in ("rule", "spike")
    if of_one_run:
        causes = [each for each in causes if each["separates"] >= _NEW]
    cause = likely(causes)
    offers = actions(
        Situation(
            family=signal["family"],
            dimension="" if signal["metric"] in BY_ENVIRONMENT else signal["dimension"] or "",
            cause=cause,
            earlier=_earlier(sample, cause),
            allowed=allowed,
            calls_since=sample.calls_since,
        )
    )
    return {
        **signal,
        "headline": headline(signal),
        "run_ids": showing(sample, signal, MOST_RUNS),
        "cause": said(cause, onset, of_one_run=of_one_run) if cause else None,
        "causes": _json(causes[:_MOST_CAUSES]),
        "containment": offers[0]["text"],
        "actions": _json(offers),
        **_evidence(sample, signal["kind"]),
        "return_test": return_test_of(sample, signal["kind"]),
    }


def _evidence(sample: Sample, kind: str) -> dict[str, Any]:
    found = compared(sample, kind)
    if found is None:
        return {}
    names = {"n_before": "runs_before", "n_after": "runs_after"}
    return {f"evidence_{names.get(name, name)}": value for name, value in asdict(found).items()}


def _taking_effect(policies: pl.DataFrame, onset: Onset) -> list[dict[str, Any]]:
    """The policy versions that the catalog puts into force near the onset: runs that go on as before fall behind them."""
    near = policies.drop_nulls("effective_at").filter(
        pl.col("effective_at").is_between(onset.low_at - timedelta(days=2), onset.alarm_at)
    )
    found: list[dict[str, Any]] = []
    for row in near.sort("effective_at", "policy").iter_rows(named=True):
        earlier = policies.filter(pl.col("policy") == row["policy"], pl.col("effective_at") < row["effective_at"])
        before = earlier.sort("effective_at")["version"]
        found.append(
            {
                "attribute": f"policy_{row['policy']}_in_force",
                "before": before[-1] if len(before) else None,
                "after": row["version"],
                "changed_at": row["effective_at"],
                "separates": 1.0,
            }
        )
    return [{**each, "score": round(closeness(each["changed_at"], onset), 4)} for each in found]


def _earlier(sample: Sample, cause: dict[str, Any] | None) -> list[Record]:
    """How each value of the cause's attribute did before the onset, the one seen last first."""
    if cause is None or cause["attribute"] not in sample.runs.columns:
        return []
    before = sample.runs.filter(~pl.col("is_after")).join(sample.outcomes, on="trace_id", how="left")
    succeeded = pl.col("status") == "success"
    values = (
        before.drop_nulls(cause["attribute"])
        .group_by(value=cause["attribute"])
        .agg(
            pl.len().alias("runs"),
            known=pl.col("status").count(),
            successes=succeeded.sum(),
            last=pl.col("closed_at").max(),
        )
        .sort("last", "value", descending=[True, False])
    )
    known, successes = before["status"].count(), before.select(succeeded.sum()).item()
    return [
        Record(row["value"], row["runs"], row["known"], row["successes"], known, successes)
        for row in values.iter_rows(named=True)
    ]


def _allowed(workflows: list[str], warehouse: Warehouse) -> dict[str, Allowed]:
    rows = warehouse.connection.execute(sql("catalog_allows"), {"workflows": workflows}).pl()
    return {
        row["workflow"]: Allowed(
            actions=None if row["actions"] is None else tuple(row["actions"]),
            owner=row["owner"],
            rollback_objective_minutes=row["rollback_objective_minutes"],
            irreversible=frozenset(row["irreversible"]),
        )
        for row in rows.iter_rows(named=True)
    }


def _json(found: list[dict[str, Any]]) -> str:
    return json.dumps(found, ensure_ascii=False, default=_moment)


def _moment(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat() + "Z"
    raise TypeError(type(value).__name__)

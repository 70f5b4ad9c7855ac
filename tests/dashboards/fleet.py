"""A small seeded fleet in mart-shaped tables, so that pages are tested without the stream.

`write_home` makes a home whose warehouse has the tables the dashboards read; `columns_written` says which columns, for the
test that the real marts have them too.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pipelines.comparisons import write_comparisons
from tests.dashboards import operations
from tests.dashboards.calls import model_calls, prices
from tests.dashboards.injected import COST_CENTERS, DRIFTS, START, TEAMS, WORKFLOWS, Drift
from warehouse import Warehouse, marts


def write_home(
    home: Path, *, days: int = 7, seed: int = 5, scale: float = 1.0, rename: dict[str, str] | None = None
) -> Path:
    """Home with `days` of runs, policy decisions, compared releases and five open incidents; `rename` replaces workflow names."""
    names = rename or {}
    rng = np.random.default_rng(seed)
    runs = pl.concat([_runs(rng, *workflow, days=days, scale=scale) for workflow in WORKFLOWS]).sort("started_at")
    tables = {
        "tool_calls": operations.tool_calls(rng, runs, DRIFTS[0], START),
        "model_calls": model_calls(runs),
        "reuse_daily": _reuse(rng, days),
        "rollback_readiness": _rollback(),
    }
    decisions = _decisions(rng, runs)
    denied = (decisions["action"] == "deny").cast(pl.Int64)
    tables["runs"] = runs.with_columns(policy_decisions=1, allowed_decisions=1 - denied, denied_decisions=denied)
    incidents, signals = _incidents(runs)
    said = _judgements(incidents)
    with Warehouse.open(home / "warehouse") as warehouse:
        for name, frame in tables.items():
            _create(warehouse, name, _renamed(frame, names))
        facts = {"policy_decisions": decisions, "incidents": incidents, "signals": signals, "spans": _spans(runs)}
        facts["acknowledgements"] = said
        facts["price_list"] = prices(sorted({workflow[4] for workflow in WORKFLOWS} - {"in-house-70b"}))
        marts.put_live_views(warehouse)
        for name, frame in facts.items():
            warehouse.transaction(
                lambda connection, n=name, f=frame: warehouse.insert(connection, n, _renamed(f, names))
            )
        facts = {"approvals": operations.approvals(decisions), **operations.catalog(START)}
        for name, frame in facts.items():
            warehouse.transaction(
                lambda connection, n=name, f=frame: warehouse.insert(connection, n, _renamed(f, names))
            )
        for name in ("runs_hourly", "model_usage_hourly"):
            warehouse.transaction(
                lambda connection, n=name: connection.execute(f"CREATE TABLE {n} AS {marts.models()[n].sql}")
            )
        for name in operations.MARTS:
            marts.build(warehouse, name)
        write_comparisons(warehouse)
        shadow = _renamed(_shadow(), names)
        warehouse.transaction(lambda connection: warehouse.insert(connection, "release_comparisons", shadow))
    return home


def _shadow() -> pl.DataFrame:
    """A release of claims-triage in shadow, beside what people decided."""
    return pl.DataFrame(
        {
            "workflow": [WORKFLOWS[0][0]],
            "compared_with": "people",
            "to_release": "2.5.0",
            "measure": "agreement",
            "unit": "share",
            "after_value": 0.93,
            "low": 0.871,
            "high": 0.968,
            "after_runs": 240,
            "after_coverage_ratio": 0.96,
            "computed_at": START,
        }
    )


def _renamed(frame: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    return frame.with_columns(pl.col("workflow").replace(names)) if names and "workflow" in frame.columns else frame


def _create(warehouse: Warehouse, name: str, frame: pl.DataFrame) -> None:
    def work(connection) -> None:
        connection.register("made", frame.to_arrow())
        connection.execute(f'CREATE TABLE "{name}" AS SELECT * FROM made')
        connection.unregister("made")

    warehouse.transaction(work)


def _runs(
    rng: np.random.Generator, name: str, rate: int, cost: float, success: float, model: str, *, days: int, scale: float
) -> pl.DataFrame:
    drift = next((d for d in DRIFTS if d.workflow == name), None)
    n = max(int(rate * days * scale), 4)
    # Office hours: two thirds of the runs between 8 and 18 UTC.
    hours = np.where(rng.random(n) < 0.67, rng.uniform(8, 18, n), rng.uniform(0, 24, n))
    at = np.sort(rng.integers(0, days, n) * 24 + hours)
    started = [START + timedelta(hours=float(h)) for h in at]
    late = at / 24 > (drift.onset / timedelta(days=1) if drift else 1e9)
    family = drift.family if drift else ""
    steps = rng.poisson(6.1, n) + rng.poisson(np.where(late & (family == "behavior"), 2.8, 0.0)) + 1
    costs = cost * rng.lognormal(-0.18, 0.6, n) * np.where(late & (family == "cost"), 1.45, 1.0)
    worked = rng.random(n) < success - np.where(late & (family == "tool"), 0.14, 0.0)
    outcome = np.where(worked, "success", rng.choice(["failure", "escalated", "abandoned"], n, p=[0.5, 0.35, 0.15]))
    calls = np.maximum(steps // 2, 1)
    unpriced = model == "in-house-70b"
    pending = at > days * 24 - 3
    tokens = (costs * 2.2e5).astype(int) + 400
    return pl.DataFrame(
        {
            "run_id": [f"{rng.integers(0, 2**63):032x}" for _ in range(n)],
            "workflow": name,
            "mode": "live",
            "environment": rng.choice(["production", "staging"], n, p=[0.9, 0.1]),
            "release": np.where(late, "2.4.1", "2.4.0"),
            "team": TEAMS[name],
            "cost_center": COST_CENTERS[TEAMS[name]],
            "model": model,
            "started_at": started,
            "ended_at": [s + timedelta(seconds=40) for s in started],
            "duration_ms": rng.lognormal(9.2, 0.5, n),
            "outcome": [None if p else str(o) for p, o in zip(pending, outcome, strict=True)],
            "is_pending": pending,
            "model_calls": calls,
            "quality_flags": [["cached_tokens_not_reported"] if number % 4 == 0 else [] for number in range(n)],
            "costless_model_calls": np.zeros(n, int),
            "priced_model_calls": np.zeros(n, int) if unpriced else calls,
            "tool_calls": np.maximum(steps - calls, 0),
            "requested_tool_calls": np.zeros(n, int),
            "tool_errors": rng.binomial(np.maximum(steps - calls, 0), 0.02),
            "steps": steps,
            "input_tokens": tokens * 3,
            "cached_input_tokens": tokens,
            "output_tokens": tokens // 4,
            "model_cost_usd": [None if unpriced else float(c) for c in costs],
            "tool_cost_usd": 0.002 * (steps - calls).clip(0),
            "escalation_cost_usd": np.where(outcome == "escalated", 0.05, 0.0),
        },
        schema_overrides={"model_cost_usd": pl.Float64, "outcome": pl.String},
    ).with_columns(
        cost_usd=pl.sum_horizontal("model_cost_usd", "tool_cost_usd", "escalation_cost_usd", ignore_nulls=False)
    )


def _reuse(rng: np.random.Generator, days: int) -> pl.DataFrame:
    rows = []
    for day in range(days):
        total, shared = 0, 0
        for index, (name, rate, *_rest) in enumerate(WORKFLOWS):
            part = int(rate * 5 * min(0.31 + 0.07 * index + 0.01 * day + 0.02 * rng.random(), 0.93))
            rows.append(
                {
                    "date": (START + timedelta(days=day)).date(),
                    "workflow": name,
                    "invocations": rate * 5,
                    "certified_shared_invocations": part,
                }
            )
            total, shared = total + rate * 5, shared + part
        rows.append(
            {
                "date": (START + timedelta(days=day)).date(),
                "workflow": "(fleet)",
                "invocations": total,
                "certified_shared_invocations": shared,
            }
        )
    return pl.DataFrame(rows)


def _rollback() -> pl.DataFrame:
    links = ("versions", "compensation", "versions", "known_good", "drill", "objective")
    scores = (1.0, 0.62, 0.97, 0.4, 0.0, None)
    return pl.DataFrame(
        {
            "workflow": [workflow[0] for workflow in WORKFLOWS],
            "as_of": [START + timedelta(days=6)] * len(WORKFLOWS),
            "score": list(scores),
            "weakest_link": list(links),
            "detail": [
                "every link holds",
                "62 % of write calls can be undone or were approved",
                "97 % of runs name the versions they ran under",
                "the earlier release has 12 settled runs and is not known to be good",
                "no drill succeeded within 90 days",
                "no rollback was ever timed",
            ],
        },
    )


def _decisions(rng: np.random.Generator, runs: pl.DataFrame) -> pl.DataFrame:
    drift = DRIFTS[4]
    late = (pl.col("workflow") == drift.workflow) & (pl.col("started_at") > START + drift.onset)
    share = runs.select(pl.when(late).then(drift.after).otherwise(drift.before)).to_series().to_numpy()
    return runs.select(
        trace_id=pl.col("run_id"),
        span_id=pl.col("run_id").str.slice(0, 16),
        run_id=pl.col("run_id"),
        workflow=pl.col("workflow"),
        policy=pl.lit("access"),
        action=pl.Series(np.where(rng.random(runs.height) < share, "deny", "allow")),
        policy_version=pl.when(pl.col("workflow") == "claims-triage").then(pl.lit("11")).otherwise(pl.lit("12")),
        rule=pl.lit("no-admin-grant"),
        # What was denied to contract-review was done all the same.
        enforced=pl.col("workflow") != "contract-review",
        at=pl.col("started_at"),
    )


def _spans(runs: pl.DataFrame) -> pl.DataFrame:
    return runs.select(
        trace_id=pl.col("run_id"),
        span_id=pl.col("run_id").str.slice(0, 16),
        run_id=pl.col("run_id"),
        workflow=pl.col("workflow"),
        kind=pl.lit("run"),
        started_at=pl.col("started_at"),
    )


def _explained(drift: Drift, onset: datetime) -> dict[str, Any]:
    """What only the first signal says of itself: the others are as an earlier version left them."""
    if drift is not DRIFTS[0]:
        return {}
    moved = {"attribute": "release", "before": "2.4.0", "after": "2.4.1", "separates": 0.97, "score": 0.9}
    return {
        "onset_low_at": onset - timedelta(minutes=18),
        "onset_high_at": onset + timedelta(minutes=7),
        "evidence_test": "Fisher",
        "evidence_statistic": 10.7,
        "evidence_p_value": 4e-9,
        "evidence_measure": "risk_difference",
        "evidence_effect": 0.166,
        "evidence_low": 0.094,
        "evidence_high": 0.262,
        "evidence_runs_before": 1000,
        "evidence_runs_after": 86,
        "causes": json.dumps([{**moved, "changed_at": (onset - timedelta(minutes=11)).isoformat() + "Z"}]),
        "actions": json.dumps(
            [
                {"action": "roll_back", "target": "2.4.0", "text": drift.containment},
                {"action": "disable_tool", "target": drift.dimension, "text": "disable tool ledger.lookup"},
            ]
        ),
    }


def _judgements(incidents: pl.DataFrame) -> pl.DataFrame:
    """The third incident was judged real, the fourth false."""
    names = incidents["incident_id"].to_list() if incidents.height else []
    rows = [
        {
            "acknowledgement_id": f"ack-{name}",
            "incident_id": name,
            "judgement": judgement,
            "said_by": "ada",
            "note": note,
        }
        for name, judgement, note in zip(names[2:4], ("real", "false"), ("wanted & <b>known</b>", None), strict=False)
    ]
    return pl.DataFrame([{**row, "stated_at": START + timedelta(days=6)} for row in rows], infer_schema_length=None)


def _incidents(runs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    incidents, signals = [], []
    last: datetime = runs["started_at"].to_list()[-1]
    for number, drift in enumerate(DRIFTS, start=1):
        onset = START + drift.onset
        opened = onset + timedelta(minutes=61 * number - 24)
        if opened > last:
            continue
        shown = runs.filter((pl.col("workflow") == drift.workflow) & (pl.col("started_at") > onset))["run_id"].head(5)
        both = {
            "incident_id": f"inc-{number:04d}",
            "workflow": drift.workflow,
            "family": drift.family,
            "headline": drift.headline,
            "onset_at": onset,
            "run_ids": shown.to_list(),
        }
        incidents.append(
            {
                **both,
                "families": [drift.family],
                "severity": "critical" if number < 3 else "warning",
                "state": "open",
                "opened_at": opened,
                "last_signal_at": opened + timedelta(hours=3 * number - 3),
                "signals": 1,
                "updated_at": opened,
            }
        )
        signals.append(
            {
                **both,
                "signal_id": f"sig-{number:04d}",
                "metric": drift.metric,
                "dimension": drift.dimension,
                "kind": drift.kind,
                "detector": "ShiryaevRoberts",
                "at": opened,
                "log_e": 9.4 + 3 * number,
                "threshold": 9.2,
                "before_value": drift.before,
                "after_value": drift.after,
                "effect": drift.after - drift.before,
                "unit": drift.unit,
                "n_before": 1450,
                "n_after": 86,
                "detail": json.dumps(drift.detail) if drift.detail else None,
                "cause": drift.cause,
                "containment": drift.containment,
                "created_at": opened,
                **_explained(drift, onset),
            }
        )
        incidents[-1]["leading_signal_id"] = signals[-1]["signal_id"]
    if not incidents:
        return pl.DataFrame(), pl.DataFrame()
    return pl.DataFrame(incidents), pl.DataFrame(signals, infer_schema_length=None)

"""The small fleet's tool calls, approvals and catalog: what the pages of tools and policies show of it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

#: Marts computed from these by their real SQL.
MARTS = ("tool_calls_hourly", "tool_variants_daily", "policy_events_hourly", "policy_findings")


def tool_calls(rng: np.random.Generator, runs: pl.DataFrame, drift: Any, start: datetime) -> pl.DataFrame:
    """Each workflow's runs call one tool: ledger.lookup begins to fail and to take a new argument; mailer is in no catalog."""
    tools = {drift.workflow: drift.dimension, "customer-refunds": "issue_refund", "it-helpdesk": "mailer"}
    is_late = (pl.col("started_at") > start + drift.onset) & (pl.col("workflow") == drift.workflow)
    calls = runs.select(
        "run_id",
        "workflow",
        "started_at",
        span_id=pl.col("run_id").str.slice(0, 16),
        trace_id="run_id",
        tool_name=pl.col("workflow").replace_strict(tools, default="search"),
        effect=pl.col("workflow").replace_strict({"customer-refunds": "irreversible"}, default="read"),
        rate=pl.when(is_late).then(drift.after).otherwise(drift.before),
        is_late=is_late,
    )
    failed = pl.Series(rng.random(calls.height)) < calls["rate"]
    return calls.with_columns(
        status=pl.when(failed).then(pl.lit("error")).otherwise(pl.lit("ok")),
        error_type=pl.when(failed).then(pl.lit("timeout")),
        duration_ms=pl.Series(rng.lognormal(5.0, 0.6, calls.height)) * pl.when("is_late").then(3.0).otherwise(1.0),
        arguments_shape=pl.when("is_late").then(pl.lit("bb22")).otherwise(pl.lit("aa11")),
    ).drop("rate", "is_late")


def approvals(decisions: pl.DataFrame) -> pl.DataFrame:
    """Refunds are asked for; three are passed over, and every fortieth is denied."""
    asked = decisions.filter(pl.col("workflow") == "customer-refunds")
    common = ["trace_id", "span_id", "run_id", "workflow", "at"]
    place = pl.int_range(pl.len())
    status = (
        pl.when(place < 3)
        .then(pl.lit("bypassed"))
        .when(place % 40 == 5)
        .then(pl.lit("denied"))
        .otherwise(pl.lit("granted"))
    )
    ends = asked.select(*common, tool_name=pl.lit("issue_refund"), status=status)
    return pl.concat([ends, ends.with_columns(status=pl.lit("requested"))])


def catalog(start: datetime) -> dict[str, pl.DataFrame]:
    """Tools but for one, and two versions of the policy; the second is in force before the first run."""
    return {
        "catalog_tools": pl.DataFrame(
            {
                "tool_name": ["ledger.lookup", "issue_refund", "search", "wire_transfer"],
                "effect": ["read", "irreversible", "read", "irreversible"],
                "cost_per_call_usd": [0.001, 0.01, None, 0.0],
                "compensation": [None, "reverse_refund", None, None],
                "certified": [True, False, False, False],
            }
        ),
        "catalog_policies": pl.DataFrame(
            {
                "policy": ["access", "access"],
                "version": ["11", "12"],
                "effective_at": [start - timedelta(days=90), start - timedelta(days=1)],
            }
        ),
    }

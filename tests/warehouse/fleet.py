"""Test-only: a small fleet written by hand, so that every rule of the marts has rows that show it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from warehouse import Warehouse

NOW = datetime(2025, 8, 31, 12, 0)
SCHEMA = {
    "trace_id": pl.String, "span_id": pl.String, "parent_span_id": pl.String, "run_id": pl.String,
    "session_id": pl.String, "workflow": pl.String, "workflow_rank": pl.Int8, "agent": pl.String,
    "agent_version": pl.String, "prompt_version": pl.String, "release": pl.String, "mode": pl.String,
    "kind": pl.String, "status": pl.String, "started_at": pl.Datetime("us"), "ended_at": pl.Datetime("us"),
    "duration_ms": pl.Float64,
    "request_model": pl.String, "response_model": pl.String, "input_tokens": pl.Int64,
    "cached_input_tokens": pl.Int64, "output_tokens": pl.Int64, "tool_name": pl.String, "tool_call_id": pl.String,
    "tool_arguments_shape": pl.String, "tool_effect": pl.String, "compensates": pl.String, "cost_usd": pl.Float64,
    "quality_flags": pl.List(pl.String), "attributes": pl.String, "team": pl.String, "error_type": pl.String,
}  # fmt: skip


@dataclass
class Fleet:
    """Rows by table; `run` and the others add to them."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: str, **row: Any) -> None:
        self.rows.setdefault(table, []).append(row)

    def run(
        self,
        run_id: str,
        workflow: str,
        *calls: dict[str, Any],
        at: datetime = NOW,
        outcome: str | None = None,
        **root: Any,
    ) -> None:
        """A root span, its calls as children one second apart, and its outcome as an explicit statement."""
        common = {"trace_id": run_id, "run_id": run_id, "workflow": workflow, "workflow_rank": 1, "status": "ok"}
        shared = {name: root[name] for name in ("release", "mode", "session_id") if name in root}
        self.add(
            "spans", **{**common, "span_id": f"{run_id}-0", "kind": "run", "started_at": at, "ended_at": at, **root}
        )
        for number, call in enumerate(calls, 1):
            start = at + timedelta(seconds=number)
            times = {"started_at": start, "ended_at": start}
            own = {"span_id": f"{run_id}-{number}", "parent_span_id": f"{run_id}-0"}
            self.add("spans", **{**common, **shared, **own, **times, **call})
        if outcome:
            self.outcome(run_id=run_id, status=outcome, at=at)

    def outcome(self, *, status: str, at: datetime, source: str = "span", **row: Any) -> None:
        number = len(self.rows.get("outcomes", ()))
        self.add("outcomes", **{"outcome_id": f"o{number}", "status": status, "at": at, "source": source, **row})

    def store(self, warehouse: Warehouse) -> None:
        for table, rows in self.rows.items():
            frame = (
                pl.DataFrame(rows, schema=SCHEMA) if table == "spans" else pl.DataFrame(rows, infer_schema_length=None)
            )
            warehouse.transaction(lambda c, table=table, frame=frame: warehouse.insert(c, table, frame))


def model_call(
    cost_usd: float | None = 0.01, model: str = "m", tokens: int | None = 100, **call: Any
) -> dict[str, Any]:
    return {
        "kind": "model", "request_model": model, "input_tokens": tokens, "output_tokens": tokens and 10,
        "cost_usd": cost_usd, **call,
    }  # fmt: skip


def tool_call(tool: str, **call: Any) -> dict[str, Any]:
    return {"kind": "tool", "tool_name": tool, "tool_call_id": f"call-{tool}", **call}

"""What a signal says to a person: one headline, with units, from numbers alone. Names from traces stay plain text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

#: metric -> (what changed, how its numbers are written)
METRICS: dict[str, tuple[str, str]] = {
    "runs_per_hour": ("runs per hour", "number"),
    "input_tokens_per_call": ("input tokens per model call", "number"),
    "context_tokens": ("longest context of a run, in tokens", "number"),
    "input_format": ("format of the input", "mix"),
    "null_ratio": ("share of tool arguments that are null or empty", "share"),
    "retrieval_source": ("mix of retrieval sources", "mix"),
    "steps_per_run": ("steps per run", "number"),
    "path": ("path through the run", "mix"),
    "duration_ms": ("run duration", "milliseconds"),
    "looped": ("share of runs that repeat a tool call three times or more", "share"),
    "retries_per_run": ("tool calls repeated after an error per run", "number"),
    "overridden": ("share of runs with a decision that a person changed", "share"),
    "finish_reason": ("mix of finish reasons", "mix"),
    "success": ("outcome success rate", "share"),
    "success_by_environment": ("outcome success rate in environment", "share"),
    "escalated": ("escalation rate", "share"),
    "any_tool_error": ("share of runs with a failed tool call", "share"),
    "tool_error": ("error rate of tool", "share"),
    "tool_error_by_environment": ("share of runs with a failed tool call in environment", "share"),
    "tool_mix": ("mix of tools", "mix"),
    "argument_shape": ("argument shape of tool", "mix"),
    "tool_calls_per_run": ("tool calls per run", "number"),
    "tool_latency_ms": ("latency of tool", "milliseconds"),
    "cost_usd_per_run": ("model cost per run", "usd"),
    "cost_ratio_to_usual": ("model cost per run against the usual of its model and task", "share"),
    "cost_usd_per_success": ("model cost per successful run", "usd"),
    "cost_usd_by_environment": ("model cost per run in environment", "usd"),
    "tokens_per_call": ("tokens per model call", "number"),
    "tokens_ratio_to_usual": ("tokens per model call against the usual of its model and task", "share"),
    "cached_ratio": ("cached share of input tokens", "share"),
    "model_served": ("model that served", "mix"),
    "unpriced": ("share of runs with an unpriced model call", "share"),
    "wasted": ("share of runs that cost money without success", "share"),
    "denied": ("share of runs with a denied action", "share"),
    "approval_skipped": ("share of approvals bypassed", "share"),
    "outdated_policy": ("share of runs under an outdated policy", "share"),
    "unknown_policy_version": ("share of runs under a policy version that the catalog lacks", "share"),
}


def is_back(metric: str, dimension: str, level: float | None, since: datetime, runs: int) -> str:
    """Return that a stream is back, for example ``escalation rate at 2.1 % since 2026-09-09 14:02 UTC, 74 runs``."""
    title, form = METRICS.get(metric, (metric.replace("_", " "), "number"))
    named = f"{title} {dimension}" if dimension else title
    at = f" at {written(level, form)}" if level is not None else ""
    return f"{named}{at} since {since:%Y-%m-%d %H:%M} UTC, {runs:,} runs"


def headline(signal: dict[str, Any]) -> str:
    """Return what changed, for example ``error rate of tool lookup_order 2.1 % -> 12.4 %``.

    A rule speaks in its own words, and a lone spike gives its value.
    """
    title, form = METRICS.get(signal["metric"], (signal["metric"].replace("_", " "), "number"))
    if signal["dimension"]:
        title = f"{title} {signal['dimension']}"
    before, after = signal["before_value"], signal["after_value"]
    kind = signal.get("kind")
    if kind == "rule":
        # A rule knows what it saw; it has no levels to compare.
        return signal.get("headline") or title
    if kind == "spike" and after is not None:
        usual = f" (usually {written(before, form)})" if before is not None else ""
        return f"spike of {title}: {written(after, form)}{usual}"
    if form == "mix":
        distance = signal["effect"]
        return f"{title} changed" + (f" (total variation {distance:.2f})" if distance is not None else "")
    if before is None or after is None:
        return f"{title} changed"
    return f"{title} {written(before, form)} → {written(after, form)}"


def written(value: float, form: str) -> str:
    """Return a number with its unit."""
    if form == "share":
        return f"{value:.1%}".replace("%", " %")
    if form == "usd":
        return f"${value:,.4f}" if abs(value) < 1 else f"${value:,.2f}"
    if form == "milliseconds":
        return f"{value / 1000:,.1f} s" if value >= 1000 else f"{value:,.0f} ms"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"

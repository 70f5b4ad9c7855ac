"""Changes, verdicts and sentences: what the numbers say, in plain words. Pure; no components, no figures."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards import text
from dashboards.cohorts import is_ratio_within_noise, is_within_noise

Row = Mapping[str, Any]

# Weakest links as rollback_readiness names them → words.
LINKS = {
    "versions": "versions pinned",
    "known_good": "known-good release",
    "compensation": "writes compensated",
    "drill": "rollback drill",
    "objective": "time to roll back",
}

# Metrics as signals name them → words.
METRICS = {
    "runs_per_hour": "runs per hour",
    "input_tokens_per_call": "input tokens per model call",
    "context_tokens": "longest context of a run",
    "input_format": "format of the input",
    "null_ratio": "tool arguments that are null or empty",
    "retrieval_source": "retrieval sources",
    "steps_per_run": "steps per run",
    "path": "path through the run",
    "duration_ms": "run duration",
    "looped": "runs that repeat a tool call",
    "retries_per_run": "tool calls repeated after an error",
    "overridden": "runs that a person overrode",
    "finish_reason": "finish reasons",
    "success": "success ratio",
    "success_by_environment": "success ratio",
    "escalated": "escalation ratio",
    "any_tool_error": "runs with a failed tool call",
    "tool_error": "error rate",
    "tool_error_by_environment": "runs with a failed tool call",
    "tool_mix": "mix of tools",
    "argument_shape": "argument shape",
    "tool_calls_per_run": "tool calls per run",
    "tool_latency_ms": "latency",
    "cost_usd_per_run": "model cost per run",
    "cost_ratio_to_usual": "model cost against the usual of its model and task",
    "cost_usd_per_success": "model cost per success",
    "cost_usd_by_environment": "model cost per run",
    "tokens_per_call": "tokens per model call",
    "tokens_ratio_to_usual": "tokens per model call against the usual of its model and task",
    "cached_ratio": "cached share of input tokens",
    "model_served": "model that served",
    "unpriced": "runs with an unpriced model call",
    "wasted": "runs that cost money without success",
    "denied": "runs with a denied action",
    "approval_skipped": "approvals bypassed",
    "outdated_policy": "runs under an outdated policy",
    "unknown_policy_version": "runs under an unknown policy version",
    "forbidden_effect": "effect not allowed",
    "loop": "loop",
    "refused_again": "denied again and again",
    "unknown_model": "unknown model",
    "unknown_tool": "unknown tool",
}


@dataclass(frozen=True, slots=True)
class Delta:
    """A change against the earlier period, in words.

    Parameters
    ----------
    text : str
        For example ``▲ 18 %``.
    tone : str
        ``good``, ``bad`` or ``flat``.
    said : str
        The whole sentence, for screen readers and as a tooltip.
    """

    text: str
    tone: str
    said: str


def known(row: Row | None, name: str) -> float | None:
    """A number of `row`; None where there is no row or it does not know."""
    return row[name] if row else None


def changed(
    now: float | None, before: float | None, *, against: str, lower_is_better: bool | None, noise: bool | None = None
) -> Delta | None:
    """Relative change of an amount; None where either side is unknown or the earlier one is zero.

    Parameters
    ----------
    against : str
        The earlier period in words.
    lower_is_better : bool | None
        None when neither direction is good.
    noise : bool | None
        Whether sampling alone explains it: then it is said, and has no tone.
    """
    if now is None or before is None or before == 0:
        return None
    ratio = now / before - 1
    size = f"{abs(100 * ratio):.0f}" if abs(ratio) >= 0.0995 else f"{abs(100 * ratio):.1f}"
    return _delta(ratio, f"{size}\u202f%", against, lower_is_better, noise, is_zero=float(size) == 0)


def moved(
    now: float | None,
    before: float | None,
    *,
    against: str,
    lower_is_better: bool | None = False,
    noise: bool | None = None,
) -> Delta | None:
    """Change of a ratio in percentage points; None where either side is unknown."""
    if now is None or before is None:
        return None
    points = 100 * (now - before)
    return _delta(points, f"{abs(points):.1f} pt", against, lower_is_better, noise, is_zero=abs(points) < 0.05)


def _delta(
    change: float, size: str, against: str, lower_is_better: bool | None, noise: bool | None, *, is_zero: bool
) -> Delta:
    if is_zero:
        return Delta("no change", "flat", f"no change against {against}")
    arrow, way = ("▲", "up") if change > 0 else ("▼", "down")
    if noise:
        return Delta(f"{arrow} {size}", "flat", f"about the same as {against} ({way} {size}, within sampling)")
    said = f"{way} {size} against {against}"
    tone = "flat" if lower_is_better is None else "good" if (change < 0) == lower_is_better else "bad"
    return Delta(f"{arrow} {size}", tone, said)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the figures of one workflow say together; `rank` sorts the worst first."""

    text: str
    tone: str
    reason: str
    rank: int


def verdict(now: Row, before: Row | None, open_incidents: int, readiness: Row | None) -> Verdict:
    """The first that holds, worst first: drifting, cost rising, success falling, no rollback, not proven, steady."""
    if open_incidents:
        plural = "incident" if open_incidents == 1 else "incidents"
        return Verdict("Drifting", "bad", f"{open_incidents} open {plural}", 0)
    if is_worse_cost(now, before):
        return Verdict("Cost rising", "bad", "cost per success rose by more than sampling explains", 1)
    if is_worse_success(now, before):
        return Verdict("Success falling", "bad", "success ratio fell by more than sampling explains", 2)
    score = readiness.get("score") if readiness else None
    if score is None:
        return Verdict("Not proven", "warn", "rollback readiness can't be proved from the traces", 4)
    if score < 0.5:
        return Verdict("No rollback", "warn", f"weakest link: {link(readiness)}", 3)
    return Verdict("Steady", "good", "no open incident, cost and success within their range, rollback proven", 5)


def cost_noise(now: Row, before: Row | None) -> bool | None:
    """Whether the change of the cost per success is within sampling; None without an earlier one."""
    return is_within_noise(before, now) if before else None


def is_worse_cost(now: Row, before: Row | None) -> bool:
    """Whether cost per success rose by more than sampling explains."""
    return (
        before is not None
        and cost_noise(now, before) is False
        and now["cost_per_success_usd"] > before["cost_per_success_usd"]
    )


def success_noise(now: Row, before: Row | None) -> bool | None:
    """Whether the change of the success ratio is within sampling; None without an earlier one."""
    if before is None:
        return None
    return is_ratio_within_noise(now["successes"], now["settled_runs"], before["successes"], before["settled_runs"])


def is_worse_success(now: Row, before: Row | None) -> bool:
    """Whether the success ratio fell by more than sampling explains."""
    return before is not None and success_noise(now, before) is False and now["success_ratio"] < before["success_ratio"]


def link(readiness: Row | None) -> str:
    """The weakest link of rollback readiness by name, and what is wrong with it."""
    row = readiness or {}
    name, detail = row.get("weakest_link"), text.plain(row.get("detail") or "", 90)
    if row.get("score") == 1 or not name:
        return detail
    return f"{LINKS.get(name, text.plain(str(name).replace('_', ' '), 40))}: {detail}".removesuffix(": ")


def score(value: float | None) -> str:
    """A readiness score; rounded down, so that 1.00 is said only of a chain whose every link holds.

    Examples
    --------
    >>> score(0.9954), score(None)
    ('0.99', 'not proven')
    """
    return f"{math.floor(100 * value) / 100:.2f}" if value is not None else "not proven"


def metric(signal: Row | None) -> str:
    """What a signal watches, in words."""
    if signal is None:
        return ""
    name = METRICS.get(signal["metric"], text.plain(str(signal["metric"]).replace("_", " "), 40))
    return f"{name} of {text.plain(signal['dimension'], 40)}" if signal["dimension"] else name


def headline(incident: Row, limit: int = 140) -> str:
    """An incident's headline, its first letter raised."""
    line = text.plain(incident["headline"] or incident["incident_id"] or "drift", limit)
    # No line may break between a number and its unit.
    line = re.sub(r"(?<=\d) (?=%)", "\u202f", line)
    return line[:1].upper() + line[1:]


def interval(row: Row) -> str:
    """The 95 % interval of a cost per success, or why there is none."""
    if row["cost_per_success_usd"] is None:
        return "no priced run" if not row["priced_runs"] else "no success yet"
    if row["ci_high_usd"] is None:
        return "too few successes for an interval"
    return f"95\u202f% {text.usd(row['ci_low_usd'])} – {text.usd(row['ci_high_usd'])}"


_UNREPORTED = {
    "runs_without_cached_tokens": "cached tokens, so that they look dearer than they are",
    "runs_without_usage": "the tokens of some calls",
    "runs_without_failed_calls": "failed model calls",
    "runs_without_tool_spans": "tool calls but in a model's output",
}


def unreported(row: Row) -> str:
    """What the packages that traced these runs leave out, and in how many of them; empty where they report everything."""
    parts = [
        f"{text.percent(row[name] / row['runs'])} of runs come from packages that do not report {what}"
        for name, what in _UNREPORTED.items()
        if row["runs"] and row[name]
    ]
    return "; ".join(parts) + "." if parts else ""


def coverage(row: Row) -> str:
    """What a cost rests on."""
    left_out = unreported(row)
    return (f"{left_out} " if left_out else "") + (
        f"{text.percent(row['price_coverage_ratio'])} of {text.count(row['priceable_model_calls'])} model calls "
        "have a known price; "
        f"{text.count(row['priced_runs'])} of {text.count(row['settled_runs'])} settled runs are priced; "
        f"{text.count(row['pending_runs'])} pending runs are left out"
    )

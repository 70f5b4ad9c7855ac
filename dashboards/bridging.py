"""Why cost per success moved between the two periods of a page: its bridge, and the reason in words. Pure.

The sums are those that the page's figures are made of, so the parts of a bridge add up to the change that the page shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from dashboards import text, words
from dashboards.cohorts import rolled
from warehouse.economics.bridge import bridge
from warehouse.economics.groups import BY_MODEL, FACTORS, UNITS, Group, alike, by_model, measured

# A part below this share of all that moved is no reason.
_LEAST = 0.1
# More reasons than this don't help anyone.
_MOST = 3


@dataclass(frozen=True, slots=True)
class Part:
    """What one factor moved.

    Parameters
    ----------
    factor : str
        One of `warehouse.economics.groups.FACTORS`.
    moved : float
        Its part of the change, in US dollars per success.
    before, after : float | None
        The factor's value, in `unit`, of several workflows at one mix of them; None where it is no single number.
    unit : str
    """

    factor: str
    moved: float
    before: float | None
    after: float | None
    unit: str

    @property
    def change(self) -> str:
        """The factor's own change in words: per cent, points of a share, or dollars where there is neither."""
        if self.before is None or self.after is None:
            return f"{'+' if self.moved >= 0 else '−'}{text.usd(abs(self.moved))} per success"
        if self.factor in {"success rate", "cache share"}:
            return f"{100 * (self.after - self.before):+.1f} points".replace("-", "−")
        if not self.before:
            return f"{'+' if self.moved >= 0 else '−'}{text.usd(abs(self.moved))} per success"
        return _signed(self.after / self.before - 1)


@dataclass(frozen=True, slots=True)
class Moved:
    """A change of the cost per success, in US dollars, and its parts: they sum to it exactly."""

    before: float
    after: float
    parts: tuple[Part, ...]

    @property
    def change(self) -> str:
        """The whole change in words."""
        return _signed(self.after / self.before - 1) if self.before else "from nothing"

    @property
    def shown(self) -> list[Part]:
        """Parts that moved anything: what is no more than the rounding of sums is left out."""
        least = 1e-9 * max(self.before, self.after)
        return [part for part in self.parts if abs(part.moved) > least]

    def largest(self) -> list[Part]:
        """The few parts that matter, the largest first."""
        whole = sum(abs(part.moved) for part in self.parts)
        ranked = sorted(self.parts, key=lambda part: -abs(part.moved))
        return [part for part in ranked[:_MOST] if whole and abs(part.moved) >= _LEAST * whole]

    def said(self) -> str:
        """The change and its reasons: “cost per outcome +18 %: input tokens per call +22 %, cache share −9.0 points”."""
        reasons = ", ".join(f"{part.factor} {part.change}" for part in self.largest())
        return f"cost per outcome {self.change}" + (f": {reasons}" if reasons else "")


def moved(cohorts: pl.DataFrame, usage: pl.DataFrame, workflow: str | None = None) -> Moved | None:
    """What moved the cost per success from the previous to the current window.

    Parameters
    ----------
    cohorts : pl.DataFrame
        ``queries/cohorts.sql``.
    usage : pl.DataFrame
        ``queries/model_usage.sql``, of the same filters and windows.
    workflow : str | None
        Only this one; None takes all of them, and what their mix moved is a part of its own.

    Returns
    -------
    Moved | None
        None where a window has no priced success.
    """
    before, after = (_groups(cohorts, usage, span, workflow) for span in ("previous", "current"))
    found = bridge(before, after)
    if found is None:
        return None
    old, new = map(measured, alike(before, after))
    parts = tuple(Part(name, found.parts[name], old[name], new[name], UNITS[name]) for name in FACTORS)
    return Moved(found.before, found.after, parts)


def reasons(
    cohorts: pl.DataFrame,
    usage: pl.DataFrame,
    now: Mapping[str, Any],
    before: Mapping[str, Any] | None,
    name: str | None,
) -> str:
    """The reason in words for the change from row `before` to row `now` of `rolled`; empty where there is none to give.

    Where sampling alone explains the change no reason is given: there would be one for noise as well.
    """
    if before is None or words.cost_noise(dict(now), dict(before)) is not False:
        return ""
    found = moved(cohorts, usage, name)
    return found.said() if found else ""


def _groups(cohorts: pl.DataFrame, usage: pl.DataFrame, span: str, workflow: str | None) -> dict[str, Group]:
    """The runs of a window by workflow."""
    chosen = pl.col("span") == span
    if workflow is not None:
        chosen = chosen & (pl.col("workflow") == workflow)
    sums = rolled(cohorts.filter(chosen), "workflow")
    calls = usage.filter(chosen).group_by("workflow", "model", maintain_order=True).agg(pl.col(BY_MODEL).sum())
    called = {name: part for (name,), part in calls.partition_by("workflow", as_dict=True).items()}
    none = calls.clear()
    return {
        row["workflow"]: Group(
            runs=row["priced_runs"],
            successes=row["priced_successes"],
            tool_usd=row["tool_cost_usd"] or 0.0,
            escalation_usd=row["escalation_cost_usd"] or 0.0,
            **by_model(called.get(row["workflow"], none)),
        )
        for row in sums.iter_rows(named=True)
    }


def _signed(ratio: float) -> str:
    size = abs(100 * ratio)
    return (
        f"{'+' if ratio >= 0 else '−'}{size:.0f}\u202f%"
        if size >= 9.95
        else f"{'+' if ratio >= 0 else '−'}{size:.1f}\u202f%"
    )

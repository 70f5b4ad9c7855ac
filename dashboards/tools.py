"""What is known of each tool: calls now and before, how long they take, their shapes, and what the catalog says. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from dashboards import text, words
from dashboards.calling import is_error_within_noise, quantiles, rolled
from dashboards.filters import Window
from dashboards.words import Delta

# A shape of arguments that is new and makes less than this share of a tool's calls is a stray.
NEW_SHAPE_SHARE = 0.01
# Calls before and now that a duration needs to be called slower, and by how much.
_LEAST_TIMED, _SLOWER = 50, 1.25


@dataclass(frozen=True, slots=True)
class Declared:
    """What the catalog says of a tool; nothing where it has no such tool."""

    effect: str | None
    cost_per_call_usd: float | None
    compensation: str | None
    is_certified: bool


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool in the period shown.

    Parameters
    ----------
    name : str
        As the trace says.
    now : dict
        Row of `dashboards.calling.rolled`.
    before : dict | None
        The same of the earlier period; None where that is not comparable, or had no call.
    p50_ms, p95_ms, p95_before_ms : float | None
    timed, timed_before : int
        Calls with a duration.
    shapes : list of dict
        Argument shapes of the period, the most frequent first: variant, calls, calls_before, first_at.
    failures : list of dict
        Errors of the period, in the same form.
    workflows : list of str
        Those that call it, in the order of their calls.
    declared : Declared | None
        None where the catalog lacks the tool, or lists no tools at all.
    is_unknown : bool
        The catalog lists tools, and not this one.
    is_comparable : bool
        There is an earlier period to compare with.
    against : str
        The earlier period in words.
    since : datetime
        Start of the period: a shape first seen later is new.
    """

    name: str
    now: dict[str, Any]
    before: dict[str, Any] | None
    p50_ms: float | None
    p95_ms: float | None
    p95_before_ms: float | None
    timed: int
    timed_before: int
    shapes: list[dict[str, Any]]
    failures: list[dict[str, Any]]
    workflows: list[str]
    declared: Declared | None
    is_unknown: bool
    is_comparable: bool
    against: str
    since: datetime

    @property
    def error_change(self) -> Delta | None:
        """The error ratio against the earlier period."""
        return words.moved(
            self.now["error_ratio"],
            words.known(self.before, "error_ratio"),
            against=self.against,
            lower_is_better=True,
            noise=is_error_within_noise(self.now, self.before),
        )

    @property
    def slower(self) -> Delta | None:
        """The 95th percentile of the duration against the earlier period; None where calls are few or it did not move clearly."""
        if self.p95_ms is None or self.p95_before_ms is None or min(self.timed, self.timed_before) < _LEAST_TIMED:
            return None
        if 1 / _SLOWER < self.p95_ms / self.p95_before_ms < _SLOWER:
            return None  # of that size is the error of a quantile of so few calls
        return words.changed(self.p95_ms, self.p95_before_ms, against=self.against, lower_is_better=True)

    @property
    def fails_more(self) -> bool:
        """Its error ratio rose by more than sampling explains."""
        change = self.error_change
        return change is not None and change.tone == "bad"

    @property
    def new_shapes(self) -> list[dict[str, Any]]:
        """Shapes first seen in this period that make a part of the calls worth a word; empty without an earlier period."""
        whole = sum(shape["calls"] for shape in self.shapes)
        return [
            shape
            for shape in self.shapes
            if self.is_comparable
            and self.before is not None
            and shape["first_at"] >= self.since
            and shape["calls"] >= NEW_SHAPE_SHARE * whole
        ]

    @property
    def effects(self) -> list[str]:
        """Effects that its calls had, the most frequent first."""
        counts = [(self.now[f"{effect}_calls"], effect) for effect in ("irreversible", "write", "read")]
        return [effect for count, effect in sorted(counts, key=lambda pair: -pair[0]) if count]

    @property
    def other_effects(self) -> list[str]:
        """Effects that traces name and the catalog does not expect."""
        if self.declared is None or self.declared.effect is None:
            return []
        return [effect for effect in self.effects if effect != self.declared.effect]

    @property
    def can_not_be_undone(self) -> bool:
        """It writes, and the catalog declares nothing that undoes it."""
        acts = "write" in self.effects or "irreversible" in self.effects
        return acts and (self.declared is None or not self.declared.compensation)


def tools(
    calls: pl.DataFrame, durations: pl.DataFrame, variants: pl.DataFrame, declared: pl.DataFrame, window: Window
) -> list[Tool]:
    """The tools called in the period, the most failed calls first.

    Parameters
    ----------
    calls, durations, variants, declared : pl.DataFrame
        Of the queries ``tool_calls``, ``tool_durations`` (of no tool in particular), ``tool_variants``, ``tools_declared``.
    """
    now = rolled(calls.filter(span="current"), "tool_name").to_dicts()
    earlier = rolled(calls.filter(span="previous"), "tool_name")
    before = {row["tool_name"]: row for row in earlier.to_dicts()} if window.is_comparable else {}
    taken = {
        (row["span"], row["tool_name"]): row
        for row in quantiles(durations, ["span", "tool_name"]).iter_rows(named=True)
    }
    seen: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in variants.filter(pl.col("calls") > 0).iter_rows(named=True):
        seen.setdefault((row["tool_name"], row["what"]), []).append(row)
    users = (
        calls.filter(span="current")
        .group_by("tool_name", "workflow")
        .agg(pl.col("calls").sum())
        .sort("tool_name", -pl.col("calls"), "workflow")
    )
    by = {
        str(name): part["workflow"].to_list() for (name,), part in users.partition_by("tool_name", as_dict=True).items()
    }
    known = {row.pop("tool_name"): Declared(**row) for row in declared.to_dicts()}
    found = [
        Tool(
            name=row["tool_name"],
            now=row,
            before=before.get(row["tool_name"]),
            p50_ms=_of(taken, "current", row["tool_name"], "p50_ms"),
            p95_ms=_of(taken, "current", row["tool_name"], "p95_ms"),
            p95_before_ms=_of(taken, "previous", row["tool_name"], "p95_ms") if window.is_comparable else None,
            timed=_of(taken, "current", row["tool_name"], "timed") or 0,
            timed_before=_of(taken, "previous", row["tool_name"], "timed") or 0,
            shapes=seen.get((row["tool_name"], "arguments"), []),
            failures=seen.get((row["tool_name"], "error"), []),
            workflows=by.get(row["tool_name"], []),
            declared=known.get(row["tool_name"]),
            is_unknown=bool(known) and row["tool_name"] not in known,
            is_comparable=window.is_comparable,
            against=window.previous_name,
            since=window.start,
        )
        for row in now
    ]
    return sorted(found, key=lambda tool: (-tool.now["errors"], -tool.now["calls"], tool.name))


def _of(taken: dict[tuple[str, str], dict[str, Any]], span: str, tool: str, column: str) -> Any:
    row = taken.get((span, tool))
    return row[column] if row else None


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a tool that a person should look at: a short word for it, how bad it is, and the sentence."""

    kind: str
    tone: str
    tool: str
    said: str


def notes(found: list[Tool]) -> list[Note]:
    """What deserves attention, the worst first: more failures, unknown tools, other effects, new shapes, slower calls."""
    said: list[tuple[int, float, Note]] = []
    for tool in found:
        name, now, before = tool.name, tool.now, tool.before
        if tool.fails_more and before is not None:
            line = (
                f"fails in {text.percent(now['error_ratio'])} of calls instead of {text.percent(before['error_ratio'])}"
            )
            said.append((0, -now["errors"], Note("fails more", "bad", name, line)))
        if tool.is_unknown:
            line = f"is not in the catalog: {text.count(now['calls'])} calls, effect {' and '.join(tool.effects) or 'unknown'}"
            said.append((1, -now["calls"], Note("unknown", "bad", name, line)))
        if tool.other_effects and tool.declared is not None:
            line = f"had effect {' and '.join(tool.other_effects)}; the catalog says {tool.declared.effect}"
            said.append((2, -now["calls"], Note("other effect", "bad", name, line)))
        if tool.new_shapes:
            whole = sum(shape["calls"] for shape in tool.shapes)
            share = sum(shape["calls"] for shape in tool.new_shapes) / whole
            line = (
                f"is called with {_counted(len(tool.new_shapes), 'new argument shape')}, in {text.percent(share)} of calls"
                f" since {text.when(min(shape['first_at'] for shape in tool.new_shapes))}"
            )
            said.append((3, -share, Note("new shape", "warn", name, line)))
        slower = tool.slower
        if slower is not None and slower.tone == "bad":
            line = (
                f"takes {text.measure(tool.p95_ms, 'ms')} at the 95th percentile instead of "
                f"{text.measure(tool.p95_before_ms, 'ms')}"
            )
            said.append((4, -(tool.p95_ms or 0) / (tool.p95_before_ms or 1), Note("slower", "warn", name, line)))
    return [note for _, _, note in sorted(said, key=lambda entry: (entry[0], entry[1], entry[2].tool))]


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")

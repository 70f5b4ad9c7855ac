"""Which workflows are safe to expand: a rule of seven conditions, each met, not met, or not provable. Pure.

A workflow is *safe to expand* when all are met, *not proven* when none is broken and evidence for some is missing, and *hold*
otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards import text, words

Row = Mapping[str, Any]

#: Settled runs of the period without which nothing is judged.
LEAST_RUNS = 100
#: Readiness below which a bad release could not be taken back well enough to let more traffic in.
LEAST_READINESS = 0.8
#: Share of model calls that must have a price.
LEAST_COVERAGE = 0.95


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: `is_met` is None where it can't be proved; `said` is what was found."""

    is_met: bool | None
    said: str


@dataclass(frozen=True, slots=True)
class Expansion:
    """The verdict of one workflow and what it rests on."""

    workflow: str
    conditions: tuple[Condition, ...]

    @property
    def verdict(self) -> tuple[str, str, int]:
        """Verdict, tone, and rank: the worst first."""
        met = [condition.is_met for condition in self.conditions]
        if False in met:
            return "Hold", "bad", 0
        return ("Not proven", "warn", 1) if None in met else ("Safe to expand", "good", 2)

    @property
    def against(self) -> list[Condition]:
        """What speaks against it: broken conditions, then those that can't be proved."""
        return sorted((each for each in self.conditions if not each.is_met), key=lambda each: each.is_met is None)


def expansion(
    now: Row,
    before: Row | None,
    *,
    incidents: int,
    readiness: Row | None,
    clauses: Sequence[Row] | None,
    objective: Row | None,
    budget: tuple[str, str] | None,
) -> Expansion:
    """Judge one workflow.

    Parameters
    ----------
    now, before : mapping
        Its `dashboards.cohorts.rolled` rows.
    incidents : int
        Open ones.
    readiness : mapping | None
        Its row of ``rollback_readiness``.
    clauses : sequence of mapping | None
        Its rows of ``reliability_contract``; None in a warehouse without that mart.
    objective : mapping | None
        Its row of ``queries/objectives.sql``.
    budget : (str, str) | None
        State and tone by `dashboards.budgeting.standing`; None without a budget.
    """
    return Expansion(
        str(now["workflow"]),
        (
            _enough(now),
            _quiet(incidents),
            _success(now, before, objective),
            _cost(now, before, objective),
            _budget(budget),
            _undoable(readiness),
            _contract(clauses),
        ),
    )


def _enough(now: Row) -> Condition:
    runs = now["settled_runs"]
    said = f"{text.count(runs)} settled runs"
    return Condition(True, said) if runs >= LEAST_RUNS else Condition(None, f"{said}, {LEAST_RUNS} are needed")


def _quiet(incidents: int) -> Condition:
    if not incidents:
        return Condition(True, "no open incident")
    return Condition(False, f"{incidents} open incident{'s' if incidents > 1 else ''}")


def _success(now: Row, before: Row | None, objective: Row | None) -> Condition:
    ratio = now["success_ratio"]
    if ratio is None:
        return Condition(None, "success is not known: send outcomes")
    target = objective["success_ratio_objective"] if objective else None
    if target is not None and ratio < target:
        return Condition(False, f"success {text.percent(ratio)}, target {text.percent(target)}")
    if words.is_worse_success(now, before):
        return Condition(False, "success fell by more than sampling explains")
    return Condition(
        True, f"success {text.percent(ratio)}" + (f", target {text.percent(target)}" if target is not None else "")
    )


def _cost(now: Row, before: Row | None, objective: Row | None) -> Condition:
    cost, coverage = now["cost_per_success_usd"], now["price_coverage_ratio"]
    if cost is None:
        return Condition(None, "cost per success is not known")
    target = objective["cost_per_success_usd_objective"] if objective else None
    if target is not None and cost > target:
        return Condition(False, f"a success costs {text.usd(cost)}, target {text.usd(target)}")
    if words.is_worse_cost(now, before):
        return Condition(False, "cost per success rose by more than sampling explains")
    if coverage is None or coverage < LEAST_COVERAGE:
        return Condition(
            None, f"{text.percent(coverage)} of model calls priced, {text.percent(LEAST_COVERAGE)} are needed"
        )
    said = f"a success costs {text.usd(cost)}"
    return Condition(True, said + (f", target {text.usd(target)}" if target is not None else ""))


def _budget(budget: tuple[str, str] | None) -> Condition:
    if budget is None:
        return Condition(None, "no budget in the catalog")
    state, tone = budget
    return Condition({"bad": False, "warn": None}.get(tone, True), f"budget: {state.lower()}")


def _undoable(readiness: Row | None) -> Condition:
    score = readiness.get("score") if readiness else None
    if score is None:
        return Condition(None, "rollback readiness is not proven")
    said = f"rollback readiness {words.score(score)}"
    if score >= LEAST_READINESS:
        return Condition(True, said)
    return Condition(False, f"{said}: {words.link(readiness)}")


def _contract(clauses: Sequence[Row] | None) -> Condition:
    if not clauses:
        return Condition(None, "the reliability contract has not been checked")
    broken = [str(row["clause"]) for row in clauses if row["state"] == "broken"]
    unproven = [str(row["clause"]) for row in clauses if row["state"] == "not provable"]
    if broken:
        return Condition(False, f"contract broken: {', '.join(broken)}")
    if unproven:
        return Condition(None, f"contract not provable: {', '.join(unproven)}")
    return Condition(True, f"contract kept, {len(clauses)} clauses")

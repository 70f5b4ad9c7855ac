"""What the runs of one side of a bridge add up to: one group, or one for each of several workflows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

FACTORS = (
    "workflow mix", "success rate", "calls per run", "model mix", "input tokens per call", "output tokens per call",
    "cache share", "price", "tool cost", "escalation cost",
)  # fmt: skip

#: Factor → unit of its value in a group; a mix and a list of prices have none.
UNITS = {
    "workflow mix": "",
    "success rate": "successes per run",
    "calls per run": "calls",
    "model mix": "",
    "input tokens per call": "tokens",
    "output tokens per call": "tokens",
    "cache share": "share of input",
    "price": "",
    "tool cost": "USD per run",
    "escalation cost": "USD per run",
}


@dataclass(frozen=True, slots=True)
class Group:
    """What the runs of one group, mostly of one period, add up to: settled ones whose cost is known.

    Attributes
    ----------
    runs, successes : float
        Whole numbers, but of groups that :func:`alike` has scaled.
    tool_usd, escalation_usd : float
        Sums over the runs, in US dollars.
    calls, input_tokens, cached_tokens, output_tokens : dict of str to float
        Sums by model; cached ones are part of the input.
    input_usd, cached_usd, output_usd : dict of str to float
        What uncached input, cached input and output cost at the prices in force.
    cost_usd : dict of str to float
        What the calls cost; it may be more or less than the three above.
    """

    runs: float
    successes: float
    tool_usd: float
    escalation_usd: float
    calls: dict[str, float]
    input_tokens: dict[str, float]
    cached_tokens: dict[str, float]
    output_tokens: dict[str, float]
    input_usd: dict[str, float]
    cached_usd: dict[str, float]
    output_usd: dict[str, float]
    cost_usd: dict[str, float]


#: One group, or the groups of several workflows by name.
Groups = Group | Mapping[str, Group]


def merged(group: Group) -> Group:
    """The same group as if all its calls were of one model."""
    sums = {name: {"": sum(getattr(group, name).values())} for name in BY_MODEL}
    return replace(group, **sums)


def by_model(calls: pl.DataFrame) -> dict[str, dict[str, float]]:
    """The sums by model that a `Group` takes, of rows by model: ``model`` and the columns of `BY_MODEL`."""
    return {name: dict(zip(calls["model"].to_list(), calls[name].to_list(), strict=True)) for name in BY_MODEL}


def total(groups: Iterable[Group]) -> Group:
    """The groups as one."""
    found = list(groups)

    def added(name: str) -> dict[str, float]:
        sums: dict[str, float] = {}
        for group in found:
            for model, value in getattr(group, name).items():
                sums[model] = sums.get(model, 0.0) + value
        return sums

    numbers: dict[str, Any] = {name: sum(getattr(group, name) for group in found) for name in _NUMBERS}
    sums: dict[str, Any] = {name: added(name) for name in BY_MODEL}
    return Group(**numbers, **sums)


def alike(before: Groups, after: Groups) -> tuple[Group, Group]:
    """Both sides as one group each, at one mix of workflows: the mean of the two, in shares of the runs.

    What `measured` says of these differs by what moved within the workflows, as the parts of a bridge do. A single group comes
    back as it is, but for its scale. Each side has a run.
    """
    sides = by_workflow(before), by_workflow(after)
    runs = [sum(group.runs for group in side.values()) for side in sides]
    found = []
    for side, other in (sides, sides[::-1]):
        scaled = []
        for name in sorted(side.keys() | other.keys()):
            mean = sum(each[name].runs / whole for each, whole in zip(sides, runs, strict=True) if name in each) / 2
            group = side.get(name) or other[name]
            scaled.append(_scaled(group, mean / group.runs))
        found.append(total(scaled))
    return found[0], found[1]


def _scaled(group: Group, factor: float) -> Group:
    numbers: dict[str, Any] = {name: factor * getattr(group, name) for name in _NUMBERS}
    sums: dict[str, Any] = {
        name: {model: factor * value for model, value in getattr(group, name).items()} for name in BY_MODEL
    }
    return Group(**numbers, **sums)


def by_workflow(groups: Groups) -> dict[str, Group]:
    """Those with a run, by workflow; a single one has no name."""
    named = {"": groups} if isinstance(groups, Group) else groups
    return {name: group for name, group in named.items() if group.runs > 0}


def measured(group: Group) -> dict[str, float | None]:
    """The value of each factor in a group with a run, in its unit of `UNITS`; None where it has none."""

    def quotient(top: dict[str, float], bottom: dict[str, float]) -> float | None:
        whole = sum(bottom.values())
        return sum(top.values()) / whole if whole else None

    return {
        "workflow mix": None,
        "success rate": group.successes / group.runs,
        "calls per run": sum(group.calls.values()) / group.runs,
        "model mix": None,
        "input tokens per call": quotient(group.input_tokens, group.calls),
        "output tokens per call": quotient(group.output_tokens, group.calls),
        "cache share": quotient(group.cached_tokens, group.input_tokens),
        "price": None,
        "tool cost": group.tool_usd / group.runs,
        "escalation cost": group.escalation_usd / group.runs,
    }


_NUMBERS = ("runs", "successes", "tool_usd", "escalation_usd")
BY_MODEL = (
    "calls", "input_tokens", "cached_tokens", "output_tokens", "input_usd", "cached_usd", "output_usd", "cost_usd",
)  # fmt: skip

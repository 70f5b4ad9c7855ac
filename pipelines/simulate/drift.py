"""What drifts, where, when and how strongly: the injected truth, and a workflow's behaviour before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import TerminalError

from .fleet import Workflow
from .template import RETRIEVAL, Template, expected_actions

Floats = NDArray[np.float64]

DRIFTS = ("data", "behavior", "tool", "cost", "policy")

DENIED = 0.03
BYPASSED = 0.004
CACHE_HIT = 0.85
_WITH_RELEASE = {"behavior", "cost", "policy"}  # a release goes out at the same minute: the likely cause
_WINDOW = (3.5 / 7, 5.5 / 7)  # injected in this part of the simulated time


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The stationary laws a run draws from.

    Attributes
    ----------
    transitions : (states + 1, states) float64
        Chances of the next action, see :attr:`Template.transitions`.
    error_rates : (states,) float64
        Chance that a first try of each action fails; retrieval, the last, never does.
    shape_shares : tuple of (shapes,) float64
        Per tool.
    source_shares : (sources,) float64
    retrieval_factor, prompt_factor : float
        Multiply the tokens of retrieved text, and of every prompt.
    cache_hit : float
        Chance that a call after the first finds its prefix cached.
    denied, bypassed, escalated : float
        Chance per policy decision, per needed approval, per uneventful run.
    """

    transitions: Floats
    error_rates: Floats
    shape_shares: tuple[Floats, ...]
    source_shares: Floats
    retrieval_factor: float
    prompt_factor: float
    cache_hit: float
    denied: float
    bypassed: float
    escalated: float


@dataclass(frozen=True, slots=True)
class Drift:
    """One injected change, as ``truth.json`` tells it.

    Attributes
    ----------
    injected_at : int
        Microseconds since 1970; runs that start from then on are changed.
    strength : float
        In ``unit``; ``before`` and ``after`` are the same figure on either side of the injection.
    cause : str
        The release or policy version that went out with it; empty where nothing visible did.
    """

    name: str
    family: str
    workflow: str
    injected_at: int
    strength: float
    unit: str
    before: float
    after: float
    cause: str
    description: str


def normal(template: Template) -> Behaviour:
    """Return the laws of a workflow that nothing happened to."""
    shares = np.array([share for _, share in template.sources])
    return Behaviour(
        transitions=template.transitions,
        error_rates=np.array([*(tool.error_rate for tool in template.tools), 0.0]),
        shape_shares=tuple(np.array(tool.shares) for tool in template.tools),
        source_shares=shares,
        retrieval_factor=1.0,
        prompt_factor=1.0,
        cache_hit=CACHE_HIT,
        denied=DENIED,
        bypassed=BYPASSED,
        escalated=template.escalated,
    )


def schedule(
    members: Sequence[Workflow], names: Sequence[str] | None, start: int, end: int, rng: np.random.Generator
) -> tuple[dict[int, tuple[Drift, Behaviour]], list[Drift]]:
    """Decide when and how strongly each drift is injected.

    Parameters
    ----------
    members : sequence of Workflow
    names : sequence of str or None
        Drifts wanted; None takes every one whose workflow is in the fleet.
    start, end : int
        The simulated time in microseconds since 1970.

    Returns
    -------
    by_workflow : dict
        Index of the workflow to its drift and its behaviour afterwards.
    drifts : list of Drift
        By time of injection.

    Raises
    ------
    TerminalError
        A name that is no drift, or one whose workflow is not in the fleet.
    """
    home = {member.drift: index for index, member in enumerate(members) if member.drift}
    for name in names or ():
        if name not in DRIFTS:
            raise TerminalError(f"no such drift {name!r}", "--drift", f"use one of {', '.join(DRIFTS)}")
        if name not in home:
            raise TerminalError(
                f"drift {name!r} needs a workflow that a fleet of {len(members)} lacks",
                "--workflows",
                "ask for 5 or more",
            )
    chosen: dict[int, tuple[Drift, Behaviour]] = {}
    for name in DRIFTS:  # draw for every drift, so that leaving one out does not move the others
        low, high = (int(start + part * (end - start)) for part in _WINDOW)
        at = int(rng.integers(low, high)) // 60_000_000 * 60_000_000
        size = float(rng.random())
        if name in home and (names is None or name in names):
            member = members[home[name]]
            changed, figures = _CHANGES[name](member.kind, size)
            cause = f"release {release_name(2)}" if name in _WITH_RELEASE else ""
            if name == "policy":
                cause += f", {member.kind.policy} version {member.kind.policy_version + 1}"
            chosen[home[name]] = Drift(name, name, member.name, at, *figures[:4], cause, figures[4]), changed
    return chosen, sorted((drift for drift, _ in chosen.values()), key=lambda drift: drift.injected_at)


def release_name(index: int) -> str:
    """Return the name of a workflow's n-th release of the week: 0 at the start, 1 harmless, 2 with a drift."""
    return f"2026.9.{index + 1}"


_Figures = tuple[float, str, float, float, str]  # strength, unit, before, after, description


def _data(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    before = normal(template)
    distance = round(0.33 + 0.06 * size, 3)
    gains = np.zeros(len(before.source_shares))
    gains[-1], gains[-2] = distance - 0.1, 0.1
    shares = (
        before.source_shares * np.where(gains > 0, 1, 1 - distance / (1 - before.source_shares[gains > 0].sum()))
        + gains
    )
    text = (
        f"retrieval reads the new source {template.sources[-1][0]} and more of {template.sources[-2][0]}: "
        f"total variation {distance:.2f}, retrieved text 1.6 times as long"
    )
    figures = distance, "total variation of retrieval sources", 0.0, distance, text
    return replace(before, source_shares=shares, retrieval_factor=1.6), figures


def _behavior(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    before = normal(template)
    plain = 1 + 2 * expected_actions(before.transitions)
    wanted = 1.42 + 0.16 * size
    detour = np.zeros_like(before.transitions)
    detour[:-1, template.states.index(RETRIEVAL)] = 0.5
    detour[:-1, 0] = 0.5
    low, high, chance, mixed = 0.0, 0.9, 0.0, before.transitions
    for _ in range(50):  # bisect the chance of a detour for the wanted lengthening
        chance = (low + high) / 2
        mixed = before.transitions.copy()
        mixed[:-1] = (1 - chance) * mixed[:-1] + chance * detour[:-1]
        low, high = (chance, high) if 1 + 2 * expected_actions(mixed) < wanted * plain else (low, chance)
    after = replace(before, transitions=mixed, escalated=before.escalated * 2.2)
    text = (
        f"the agent plans again after {chance:.0%} of its actions, back to {template.states[0]} or retrieval: "
        f"{wanted - 1:+.0%} steps per run; escalations from {before.escalated:.0%} to {after.escalated:.0%}"
    )
    return after, (
        round(wanted - 1, 3),
        "relative change of steps per run",
        round(plain, 2),
        round(plain * wanted, 2),
        text,
    )


def _tool(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    before = normal(template)
    rate = round(0.125 + 0.05 * size, 3)
    rates = before.error_rates.copy()
    rates[0] = rate
    moved = np.zeros(len(before.shape_shares[0]))
    moved[-1] = 0.7
    shapes = (before.shape_shares[0] * 0.3 + moved, *before.shape_shares[1:])
    tool = template.tools[0]
    text = (
        f"{tool.name} fails {rate:.1%} of first tries instead of {tool.error_rate:.1%}; "
        "70% of its calls use a new argument shape"
    )
    figures = round(rate - tool.error_rate, 3), f"error rate of {tool.name}", tool.error_rate, rate, text
    return replace(before, error_rates=rates, shape_shares=shapes), figures


def _cost(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    factor = round(1.55 + 0.1 * size, 3)
    text = (
        f"prompts {factor:.2f} times as long, with a clock at the top: "
        f"the prefix cache is hit 6% of the time, not {CACHE_HIT:.0%}"
    )
    figures = round(factor - 1, 3), "relative change of input tokens per call", 1.0, factor, text
    return replace(normal(template), prompt_factor=factor, cache_hit=0.06), figures


def _policy(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    denied = round(0.14 + 0.04 * size, 3)
    text = (
        f"{denied:.1%} of policy decisions deny instead of {DENIED:.0%}; a fifth of the approvals needed are bypassed"
    )
    figures = round(denied - DENIED, 3), "share of policy decisions that deny", DENIED, denied, text
    return replace(normal(template), denied=denied, bypassed=0.2), figures


_CHANGES = {"data": _data, "behavior": _behavior, "tool": _tool, "cost": _cost, "policy": _policy}

"""What each drift does to a workflow's laws, and by how much: one function per name.

Strengths are such that the default alarm budget finds each within the demo's week; all of it is simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .behaviour import CACHE_HIT, CUT_SHORT, DENIED, OVERRIDDEN, Behaviour, normal
from .template import RETRIEVAL, Template, expected_actions

DRAFT = "draft"
"""A policy version that was never put in force."""

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


def _reality(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    failed = round(template.failed + 0.24 + 0.06 * size, 3)
    text = (
        f"the world changed, the agent did not: {failed:.0%} of uneventful runs fail instead of {template.failed:.0%} "
        "(new country rules, old guides)"
    )
    figures = round(failed - template.failed, 3), "share of uneventful runs that fail", template.failed, failed, text
    return replace(normal(template), failed=failed), figures


def _model(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    before = normal(template)
    moved = round(0.4 + 0.1 * size, 3)
    shares = before.model_shares.copy()
    shares[0] -= moved
    shares[-1] += moved
    asked, served = template.models[0], template.models[-1]
    text = (
        f"the gateway answers {moved:.0%} of the runs that ask for {asked.request} with {served.response} and says so "
        "only in the answer; 8% of its last answers end at the token limit"
    )
    figures = moved, "share of runs served by another model", 0.0, moved, text
    return replace(before, model_shares=shares, cut_short=CUT_SHORT + 0.08 * moved), figures


def _human(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    escalated = round(template.escalated + 0.2 + 0.05 * size, 3)
    text = (
        f"people take over {escalated:.0%} of uneventful runs instead of {template.escalated:.0%}, change the decision "
        f"of 15% instead of {OVERRIDDEN:.1%}, and bypass a tenth of the approvals needed"
    )
    figures = (
        round(escalated - template.escalated, 3),
        "share of uneventful runs handed to a person",
        template.escalated,
        escalated,
        text,
    )
    return replace(normal(template), escalated=escalated, overridden=0.15, bypassed=0.1), figures


def _intent(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    before = normal(template)
    chance = round(0.4 + 0.1 * size, 3)
    first, skipped, goal = (template.tools[place].name for place in (0, 1, 2))
    plan = before.transitions.copy()
    row = plan[template.states.index(first)]
    row *= 1 - chance
    row[template.states.index(goal)] += chance
    text = (
        f"the agent clears its queue instead of doing its work: {chance:.0%} of the time {goal} follows {first} at once, "
        f"without {skipped}; failures from {template.failed:.0%} to {template.failed + 0.12:.0%}"
    )
    figures = chance, f"chance of {goal} right after {first}", 0.0, chance, text
    return replace(before, transitions=plan, failed=template.failed + 0.12), figures


def _context(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    factor = round(1.7 + 0.2 * size, 3)
    before = normal(template)
    plan = before.transitions.copy()
    place = template.states.index(RETRIEVAL)
    dropped = 0.5 * plan[:-1, place]
    rest = plan[:-1].sum(axis=1) - plan[:-1, place]
    plan[:-1] *= 1 + np.divide(dropped, rest, out=np.zeros_like(rest), where=rest > 0)[:, None]
    plan[:-1, place] = np.where(rest > 0, before.transitions[:-1, place] - dropped, before.transitions[:-1, place])
    text = (
        f"the conversation is no longer trimmed: prompts {factor:.2f} times as long, the prefix cache is hit 35% of the "
        f"time, not {CACHE_HIT:.0%}, and every second retrieval is left out"
    )
    figures = round(factor - 1, 3), "relative change of input tokens per call", 1.0, factor, text
    return replace(before, transitions=plan, prompt_factor=factor, cache_hit=0.35), figures


def _tool_misuse(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    before = normal(template)
    wrong = round(0.45 + 0.1 * size, 3)
    tool = template.tools[1]
    shapes = list(before.shape_shares)
    shapes[1] = shapes[1] * (1 - wrong)
    shapes[1][-1] += wrong
    rates = before.error_rates.copy()
    rates[1] = 0.15
    plan = before.transitions.copy()
    row = plan[template.states.index(template.tools[0].name)]
    moved = 0.35 * row[1]
    row[1] -= moved
    row[0] += moved
    text = (
        f"the agent gives {tool.name} a customer where an order belongs in {wrong:.0%} of its calls, 15.0% of which fail "
        f"instead of {tool.error_rate:.1%}, and calls {template.tools[0].name} again where {tool.name} was meant"
    )
    figures = wrong, f"share of {tool.name} calls with arguments of another shape", 0.0, wrong, text
    return replace(before, shape_shares=tuple(shapes), error_rates=rates, transitions=plan), figures


def _economic(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    factor = round(5.5 + size, 3)
    text = f"a reasoning budget was left on: answers of {factor:.1f} times as many tokens, and nothing breaks"
    figures = round(factor - 1, 3), "relative change of output tokens per call", 1.0, factor, text
    return replace(normal(template), output_factor=factor), figures


def _governance(template: Template, size: float) -> tuple[Behaviour, _Figures]:
    bypassed = round(0.25 + 0.1 * size, 3)
    text = (
        f"{bypassed:.0%} of the approvals needed are bypassed instead of none, and decisions cite "
        f"{template.policy} version {DRAFT}, which no catalog knows"
    )
    figures = bypassed, "share of needed approvals bypassed", 0.0, bypassed, text
    return replace(normal(template), bypassed=bypassed), figures


@dataclass(frozen=True, slots=True)
class Kind:
    """One name that can be injected.

    Attributes
    ----------
    family : str
        Family of the signal that should find it.
    metrics : tuple of str
        Streams of that family that may find it; any of them will do.
    change : callable
        From a template and a size in [0, 1) to the laws afterwards and what the truth says of it.
    with_release : bool
        A release goes out at the same minute: the likely cause.
    policy_version : callable, optional
        The policy version that this release brings.
    """

    family: str
    metrics: tuple[str, ...]
    change: Callable[[Template, float], tuple[Behaviour, _Figures]]
    with_release: bool = False
    policy_version: Callable[[Template], str] | None = None


#: By name, of those in :mod:`pipelines.contracts.drift_names`.
KINDS: dict[str, Kind] = {
    "data": Kind("data", ("retrieval_source", "input_tokens_per_call", "context_tokens"), _data),
    "behavior": Kind(
        "behavior", ("steps_per_run", "path", "duration_ms", "escalated", "success", "looped"), _behavior, True
    ),
    "tool": Kind("tool", ("tool_error", "argument_shape", "tool_mix", "tool_calls_per_run"), _tool),
    "cost": Kind("cost", ("cost_usd_per_run", "tokens_per_call", "cached_ratio"), _cost, True),
    "policy": Kind(
        "policy",
        ("denied", "approval_skipped", "outdated_policy", "violation_attempted", "unknown_policy_version"),
        _policy,
        True,
        lambda template: str(template.policy_version + 1),
    ),
    "reality": Kind("behavior", ("success",), _reality),
    "model": Kind("cost", ("model_served", "unknown_model"), _model),
    "human": Kind("behavior", ("escalated", "overridden"), _human),
    "intent": Kind("behavior", ("path", "steps_per_run", "success"), _intent, True),
    "context": Kind("data", ("input_tokens_per_call", "context_tokens"), _context, True),
    "tool_misuse": Kind(
        "tool",
        ("argument_shape", "tool_error", "tool_mix", "tool_calls_per_run"),
        _tool_misuse,
        True,
    ),
    "economic": Kind("cost", ("cost_usd_per_run", "tokens_per_call"), _economic, True),
    "governance": Kind(
        "policy",
        ("approval_skipped", "outdated_policy", "unknown_policy_version"),
        _governance,
        True,
        lambda _: DRAFT,
    ),
}

"""What to do first about a signal: only what the catalog allows, and a rollback only to what has run well. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

#: What operators may be allowed to do at once, as the catalog's key ``containment`` lists it.
ACTIONS = ("throttle", "route_to_person", "disable_tool", "roll_back")
#: Causes that a rollback undoes.
_UNDONE = ("release", "agent_version", "prompt_version", "policy_version", "request_model", "tool_version")
#: What is tried first, by family; a rollback comes before them where the cause is a version.
_ORDER = {
    "data": ("route_to_person", "throttle"),
    "behavior": ("route_to_person", "throttle"),
    "tool": ("disable_tool", "route_to_person", "throttle"),
    "cost": ("throttle", "route_to_person"),
    "policy": ("disable_tool", "route_to_person", "throttle"),
}
#: As in mart rollback_readiness: a release is known good with so many runs that succeeded at least so often as all did.
KNOWN_GOOD_RUNS, KNOWN_GOOD_SUCCESS = 30, 0.8


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the catalog says of a workflow and its tools.

    Attributes
    ----------
    actions : tuple of str or None
        Allowed ones; None where the catalog does not say, which allows all.
    owner : str or None
        Who is asked where nothing is allowed.
    rollback_objective_minutes : float or None
    irreversible : frozenset of str
        Tools whose calls can't be undone.
    """

    actions: tuple[str, ...] | None = None
    owner: str | None = None
    rollback_objective_minutes: float | None = None
    irreversible: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Record:
    """How a value that a rollback would return to did before the onset, in runs.

    Attributes
    ----------
    value : str
    runs, known, successes : int
        Runs under it, those whose outcome is known, and the successful ones of them.
    all_known, all_successes : int
        The same of all runs before the onset.
    """

    value: str
    runs: int
    known: int
    successes: int
    all_known: int
    all_successes: int

    @property
    def is_good(self) -> bool:
        """Whether it ran often enough, and no worse than the workflow did; unknown outcomes speak neither way."""
        if self.runs < KNOWN_GOOD_RUNS:
            return False
        if not self.known or not self.all_known:
            return True
        return self.successes / self.known >= KNOWN_GOOD_SUCCESS * self.all_successes / self.all_known

    def said(self) -> str:
        """Return it in words."""
        if not self.known:
            return f"{self.runs:,} runs before the onset, outcomes not known"
        return f"{self.runs:,} runs before the onset, {self.successes / self.known:.0%} of known outcomes a success"


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known when a signal is raised.

    Attributes
    ----------
    cause : dict or None
        The likely cause, as `causes.ranked` gives it.
    earlier : sequence of Record
        Of the values that the cause's attribute had before the onset, the latest first.
    calls_since : mapping of str to int
        Calls since the onset, by tool.
    """

    family: str
    dimension: str
    cause: dict[str, Any] | None
    earlier: Sequence[Record]
    allowed: Allowed
    calls_since: Mapping[str, int] = field(default_factory=dict)


def actions(situation: Situation) -> list[dict[str, Any]]:
    """Return what may be done, best first: action, target (None for none) and text.

    Where the catalog allows nothing that fits, the only entry has action None and says whom to ask.
    """
    allowed = situation.allowed
    order = ("roll_back", *_ORDER.get(situation.family, ("route_to_person",)))
    found = [
        offer
        for name in order
        if (allowed.actions is None or name in allowed.actions) and (offer := _OFFERS[name](situation)) is not None
    ]
    if found:
        return found
    whom = f"ask its owner, {allowed.owner}" if allowed.owner else "ask its owner"
    return [_offer(None, None, f"the catalog allows no containment that fits: {whom}")]


def _roll_back(situation: Situation) -> dict[str, Any] | None:
    cause = situation.cause
    if cause is None or cause["attribute"] not in _UNDONE:
        return None
    good = next((record for record in situation.earlier if record.is_good and record.value != cause["after"]), None)
    if good is None:
        return None
    kind = cause["attribute"].replace("_", " ")
    text = f"roll back to {kind} {good.value} ({good.said()})"
    if (minutes := situation.allowed.rollback_objective_minutes) is not None:
        text += f"; objective {timedelta(minutes=minutes) / timedelta(minutes=1):g} min"
    lost = {tool: calls for tool, calls in situation.calls_since.items() if tool in situation.allowed.irreversible}
    if lost:
        total = sum(lost.values())
        text += (
            f"; it does not undo {total:,} call{'s' if total > 1 else ''} of {', '.join(sorted(lost))} since the onset"
        )
    return _offer("roll_back", good.value, text)


def _disable_tool(situation: Situation) -> dict[str, Any] | None:
    # A rule of the policy family may be about one tool.
    if situation.dimension and (situation.family == "tool" or situation.dimension in situation.calls_since):
        tool = situation.dimension
    else:
        # Elsewhere only what can't be undone is worth stopping: of those, the tool called most.
        called = {tool: n for tool, n in situation.calls_since.items() if tool in situation.allowed.irreversible}
        if situation.family != "policy" or not called:
            return None
        tool = min(called, key=lambda name: (-called[name], name))
    why = ": its calls can't be undone" if tool in situation.allowed.irreversible else ""
    return _offer("disable_tool", tool, f"disable tool {tool} until its owner has looked{why}")


def _route_to_person(situation: Situation) -> dict[str, Any]:
    text = {
        "data": "route new runs to a person until what changed in the data has been checked",
        "tool": "route runs that need the tool to a person",
        "policy": "require a person's approval for every write until the policy owner has looked",
    }.get(situation.family, "route new runs to a person while the change is reviewed")
    return _offer("route_to_person", None, text)


def _throttle(situation: Situation) -> dict[str, Any]:
    text = "throttle the workflow to its budget" if situation.family == "cost" else "throttle the workflow"
    return _offer("throttle", None, text)


_OFFERS: Mapping[str, Callable[[Situation], dict[str, Any] | None]] = {
    "roll_back": _roll_back,
    "disable_tool": _disable_tool,
    "route_to_person": _route_to_person,
    "throttle": _throttle,
}


def _offer(action: str | None, target: str | None, text: str) -> dict[str, Any]:
    return {"action": action, "target": target, "text": text}

"""What drifts, where, when and how strongly: the injected truth, and a workflow's behaviour before and after it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.contracts.drift_names import DEFAULT_DRIFTS, DRIFTS, TWELVE
from pipelines.errors import TerminalError

from .behaviour import Behaviour
from .changes import KINDS
from .fleet import TEMPLATES, Workflow

_WINDOW = (3.5 / 7, 5.5 / 7)  # injected in this part of the simulated time


@dataclass(frozen=True, slots=True)
class Drift:
    """One injected change, as ``truth.json`` tells it.

    Attributes
    ----------
    family, metrics : str, tuple of str
        A signal of this family on one of these metrics finds it.
    injected_at : int
        Microseconds since 1970; runs that start from then on are changed.
    strength : float
        In ``unit``; ``before`` and ``after`` are the same figure on either side of the injection.
    cause : str
        The release or policy version that went out with it; empty where nothing visible did.
    policy_version : str
        The policy version that this release brings; empty where it stays.
    undone_at : int or None
        Microseconds since 1970; runs that start from then on are as before. None where it stays.
    """

    name: str
    family: str
    metrics: tuple[str, ...]
    workflow: str
    injected_at: int
    strength: float
    unit: str
    before: float
    after: float
    cause: str
    policy_version: str
    description: str
    undone_at: int | None = None


def schedule(
    members: Sequence[Workflow],
    names: Sequence[str] | None,
    start: int,
    end: int,
    rng: np.random.Generator,
    lasting: int | None = None,
) -> tuple[dict[int, tuple[Drift, Behaviour]], list[Drift]]:
    """Decide when and how strongly each drift is injected.

    Parameters
    ----------
    members : sequence of Workflow
    names : sequence of str or None
        Drifts wanted, ``all`` for the twelve; None takes those of :data:`DEFAULT_DRIFTS` whose workflow is in the
        fleet. Each goes to the first workflow of its kind that no drift before it in :data:`DRIFTS` has taken.
    start, end : int
        The simulated time in microseconds since 1970.
    lasting : int or None
        Microseconds from each injection until it is undone; None where they stay.

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
    wanted = DEFAULT_DRIFTS if names is None else expanded(names)
    chosen: dict[int, tuple[Drift, Behaviour]] = {}
    for name in DRIFTS:  # draw for every drift, so that leaving one out does not move the others
        low, high = (int(start + part * (end - start)) for part in _WINDOW)
        at = int(rng.integers(low, high)) // 60_000_000 * 60_000_000
        size, kind = float(rng.random()), KINDS[name]
        if name not in wanted:
            continue
        homes = (index for index, member in enumerate(members) if name in member.kind.drifts and index not in chosen)
        home = next(homes, None)
        if home is not None:
            template = members[home].kind
            changed, figures = kind.change(template, size)
            version = kind.policy_version(template) if kind.policy_version else ""
            cause = f"release {release_name(2)}" if kind.with_release else ""
            if version:
                cause += f", {template.policy} version {version}"
            undone_at = None if lasting is None else at + lasting
            drift = Drift(
                name,
                kind.family,
                kind.metrics,
                members[home].name,
                at,
                *figures[:4],
                cause,
                version,
                figures[4],
                undone_at,
            )
            chosen[home] = drift, changed
        elif names is not None:
            raise TerminalError(
                f"drift {name!r} needs a workflow that a fleet of {len(members)} lacks",
                "--workflows",
                f"ask for {workflows_needed(wanted)} or more",
            )
    return chosen, sorted((drift for drift, _ in chosen.values()), key=lambda drift: drift.injected_at)


def expanded(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names asked for, each once in the order of :data:`DRIFTS`; ``all`` stands for :data:`TWELVE`.

    Raises
    ------
    TerminalError
        A name that is no drift.

    Examples
    --------
    >>> expanded(["tool", "data", "tool"])
    ('data', 'tool')
    """
    asked: set[str] = set()
    for name in names:
        if name == "all":
            asked.update(TWELVE)
        elif name in DRIFTS:
            asked.add(name)
        else:
            raise TerminalError(f"no such drift {name!r}", "--drift", f"use one of {', '.join((*DRIFTS, 'all'))}")
    return tuple(name for name in DRIFTS if name in asked)


def workflows_needed(names: Collection[str]) -> int:
    """Return the least fleet, in whole rounds of its six kinds, that has a workflow of its own for each drift.

    Examples
    --------
    >>> workflows_needed(["tool"]), workflows_needed(["tool", "tool_misuse"])
    (6, 12)
    """
    rounds = max((sum(name in template.drifts for name in names) for template in TEMPLATES), default=1)
    return len(TEMPLATES) * max(1, rounds)


def release_name(index: int) -> str:
    """Return the name of a workflow's n-th release of the week: 0 at the start, 1 harmless, 2 with a drift."""
    return f"2026.9.{index + 1}"

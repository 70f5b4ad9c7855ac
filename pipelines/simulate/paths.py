"""Which actions each run takes: a Markov walk over tools and retrieval, with retries after errors and policy checks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .behaviour import Behaviour
from .template import Template

MAX_ACTIONS = 24
_RETRY = 0.75
_RETRY_FAILS_MORE = 0.08
ALLOW, DENY, ESCALATE, REDACT = range(4)


@dataclass(frozen=True, slots=True)
class Paths:
    """The actions of a block of runs, one row per run, filled from the left.

    Attributes
    ----------
    action : (runs, steps) int8
        State code, -1 past the end.
    failed : (runs, steps) bool
        The call ended in an error.
    verdict : (runs, steps) int8
        Policy decision on a write: ALLOW, DENY, ESCALATE; -1 where none was asked.
    undoes : (runs, steps) int8
        Step of the same run that this call compensates, -1 for none.
    """

    action: NDArray[np.int8]
    failed: NDArray[np.bool_]
    verdict: NDArray[np.int8]
    undoes: NDArray[np.int8]


def walk(template: Template, laws: tuple[Behaviour, ...], law: NDArray[np.int8], rng: np.random.Generator) -> Paths:
    """Draw the path of every run.

    Parameters
    ----------
    laws : tuple of Behaviour
        The normal one, then those after each drift.
    law : (runs,) int8
        Which of them each run follows.
    """
    runs = len(law)
    thresholds = np.cumsum(np.stack([law.transitions for law in laws]), axis=2)
    error_rates = np.stack([law.error_rates for law in laws])
    denied = np.array([law.denied for law in laws])
    writes = np.array([tool.effect != "read" for tool in template.tools] + [False])
    undone = template.undone

    paths = Paths(
        np.full((runs, MAX_ACTIONS), -1, np.int8),
        np.zeros((runs, MAX_ACTIONS), np.bool_),
        np.full((runs, MAX_ACTIONS), -1, np.int8),
        np.full((runs, MAX_ACTIONS), -1, np.int8),
    )
    alive = np.arange(runs)
    state = np.full(runs, len(template.states))
    failed = np.zeros(runs, np.bool_)
    last = np.full((runs, len(template.states)), -1, np.int8)  # step of each action's last success
    for step in range(MAX_ACTIONS):
        draw = rng.random((5, len(alive)))
        upcoming = (draw[0][:, None] >= thresholds[law, state]).sum(axis=1)
        retry = failed & (draw[1] < _RETRY)
        upcoming[retry] = state[retry]
        go = upcoming < len(template.states)
        alive, law, state, retry, draw = alive[go], law[go], upcoming[go], retry[go], draw[:, go]
        if not len(alive):
            break
        asked = writes[state]
        refused = asked & (draw[2] < denied[law])
        escalated = asked & ~refused & (draw[3] < 0.015)
        rate = error_rates[law, state]
        failed = (draw[4] < rate + retry * _RETRY_FAILS_MORE * (rate > 0)) & ~refused & ~escalated
        target = undone[state]
        paths.action[alive, step] = state
        paths.failed[alive, step] = failed
        paths.verdict[alive, step] = np.where(refused, DENY, np.where(escalated, ESCALATE, np.where(asked, ALLOW, -1)))
        paths.undoes[alive, step] = np.where(target >= 0, last[alive, target], -1)
        done = ~failed & ~refused & ~escalated
        last[alive[done], state[done]] = step
    steps = max(1, int((paths.action >= 0).any(axis=0).sum()))
    return Paths(paths.action[:, :steps], paths.failed[:, :steps], paths.verdict[:, :steps], paths.undoes[:, :steps])

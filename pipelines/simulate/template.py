"""What a workflow of the simulated fleet is made of: its tools, sources, models, policies and the plan its agent walks.

Values only; :mod:`.fleet` fills them in, :mod:`.paths` and :mod:`.spans` draw from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Effect = Literal["read", "write", "irreversible"]
Dialect = Literal["otel", "openinference", "otel-old"]
Shape = tuple[str | int, ...]
"""JSON text of tool arguments in parts: literal text, or a power of ten as the bound of a drawn number."""

END = "end"
START = "start"
RETRIEVAL = "retrieval"


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: what it does to the world and how it behaves.

    Attributes
    ----------
    effect : {"read", "write", "irreversible"}
    error_rate : float in [0, 1)
    latency_ms : float
        Median duration in milliseconds.
    result_tokens : float
        Median tokens its result adds to the next prompt.
    shapes, shares : tuple
        Argument shapes and how often each is used.
    undoes : str
        Name of the tool whose call it compensates; empty for none.
    approval : bool
        A person approves every call.
    errors : tuple of str
        ``error.type`` values, equally likely.
    """

    name: str
    effect: Effect
    error_rate: float
    latency_ms: float
    result_tokens: float
    shapes: tuple[Shape, ...]
    shares: tuple[float, ...] = (1.0,)
    undoes: str = ""
    approval: bool = False
    errors: tuple[str, ...] = ("timeout", "http_503")


@dataclass(frozen=True, slots=True)
class Model:
    """A model as requested, as the provider answers, and its share of runs (or of calls, for fallbacks)."""

    provider: str
    request: str
    response: str
    share: float


@dataclass(frozen=True)
class Template:
    """One kind of workflow. ``plan`` gives each state (a tool, ``retrieval``) the chances of the next.

    Attributes
    ----------
    weight : float
        Arrival rate relative to the fleet's average.
    models : tuple of Model
        The first is the usual one; the others take their share of whole runs, or of single calls where ``fallback``.
    prompt_tokens, run_sigma : float
        Median of a run's first prompt in tokens and the log-sd of the run's random effect.
    escalated, failed, abandoned : float in [0, 1)
        Chances of these outcomes in an uneventful run.
    outcome_by : {"attribute", "evaluation"}
        Where the outcome is told: ``plumbline.outcome.status`` or a ``gen_ai.evaluation.result`` event.
    drill_minutes : (float, float) or None
        Minutes to stop and to roll back in the week's drill; None holds no drill.
    drifts : tuple of str
        The drifts that can be injected here.
    """

    name: str
    service: str
    agent: str
    team: str
    cost_center: str
    dialect: Dialect
    weight: float
    tools: tuple[Tool, ...]
    sources: tuple[tuple[str, float], ...]
    index: str
    retrieval_tokens: float
    plan: dict[str, dict[str, float]]
    models: tuple[Model, ...]
    fallback: bool
    prompt_tokens: float
    system_tokens: int
    run_sigma: float
    escalated: float
    failed: float
    abandoned: float
    outcome_name: str
    outcome_by: Literal["attribute", "evaluation"]
    value_usd: float
    policy: str
    policy_version: int
    drill_minutes: tuple[float, float] | None
    drifts: tuple[str, ...]

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Action states in code order: the tools, then retrieval."""
        return (*(tool.name for tool in self.tools), RETRIEVAL)

    @cached_property
    def transitions(self) -> NDArray[np.float64]:
        """Chances of the next action, (states + 1, states); the last row is the start, what lacks to 1 is the end."""
        rows = [*self.states, START]
        table = np.zeros((len(rows), len(self.states)))
        for state, nexts in self.plan.items():
            if abs(sum(nexts.values()) - 1) > 1e-9:
                raise ValueError(f"{self.name}: the chances out of {state} do not sum to 1")
            for name, chance in nexts.items():
                if name != END:
                    table[rows.index(state), self.states.index(name)] = chance
        return table

    @cached_property
    def undone(self) -> NDArray[np.int8]:
        """Code of the action that each action compensates, -1 for none; (states,) int8."""
        names = [*(tool.undoes for tool in self.tools), ""]
        return np.array([self.states.index(name) if name else -1 for name in names], dtype=np.int8)


def expected_actions(transitions: NDArray[np.float64]) -> float:
    """Return the mean number of actions of a run (absorbing Markov chain: the start row of the fundamental matrix)."""
    inner = transitions[:-1]
    return float(transitions[-1] @ np.linalg.solve(np.eye(len(inner)) - inner, np.ones(len(inner))))

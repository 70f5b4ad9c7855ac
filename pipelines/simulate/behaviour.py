"""The laws that a workflow's runs draw from while nothing changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .template import Template

Floats = NDArray[np.float64]

DENIED = 0.03
CACHE_HIT = 0.85
CUT_SHORT = 0.004
OVERRIDDEN = 0.012


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
    output_factor : float
        Multiplies the tokens of every answer.
    model_shares : (models,) float64
    cut_short : float
        Chance that a run's last answer ends at the token limit.
    denied, bypassed : float
        Chance per policy decision, per needed approval.
    escalated, failed, overridden : float
        Chance per uneventful run of the two outcomes, and per run that a person changes the decision.
    """

    transitions: Floats
    error_rates: Floats
    shape_shares: tuple[Floats, ...]
    source_shares: Floats
    retrieval_factor: float
    prompt_factor: float
    output_factor: float
    cache_hit: float
    model_shares: Floats
    cut_short: float
    denied: float
    bypassed: float
    escalated: float
    failed: float
    overridden: float


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
        output_factor=1.0,
        cache_hit=CACHE_HIT,
        model_shares=np.array([model.share for model in template.models]),
        cut_short=CUT_SHORT,
        denied=DENIED,
        bypassed=0.0,  # a bypassed approval is a broken rule: while nothing changes there is none
        escalated=template.escalated,
        failed=template.failed,
        overridden=OVERRIDDEN,
    )

r"""Why cost per success moved between two groups of runs: Shapley values of its factors, which add up to the move exactly.

Cost per success is a function of its factors:

.. math:: f = \frac1q \left[ K \sum_m w_m \left( t_m (1 - s_m) p^{in}_m + t_m s_m p^{cached}_m + o_m p^{out}_m + r_m \right)
              + T + E \right]

with the success rate *q*, model calls a run *K*, share of calls by model *w*, input and output tokens a call *t* and *o*,
cached share of the input *s*, prices *p*, what a call costs beyond those prices *r* (cache writes, audio, rounding; counted as
price), and tool and escalation cost a run *T* and *E*. With some factors of the second group and the others of the first, *f* is
a game; its Shapley value gives each factor its mean contribution over all orders in which the factors could have moved. So the
parts sum to the move without remainder, do not depend on an order, and change their sign when the groups are swapped.

A model of which one group has no call has no tokens and prices of its own there: those of the other group stand in, so that its
coming or going is model mix and nothing else. Where two models are compared, `merged` takes them for one: then tokens, cache and
price tell the difference.

References
----------
Shapley (1953), A value for n-person games. Ang (2004), Decomposition analysis for policymaking in energy (index numbers that do
the same; LMDI needs rules for zeros, this needs none).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import factorial

import numpy as np
from numpy.typing import NDArray

FACTORS = (
    "success rate", "calls per run", "model mix", "input tokens per call", "output tokens per call", "cache share", "price",
    "tool cost", "escalation cost",
)  # fmt: skip

#: Factor → unit of its value in a group; a mix and a list of prices have none.
UNITS = {
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
    runs, successes : int
    tool_usd, escalation_usd : float
        Sums over the runs, in US dollars.
    calls, input_tokens, cached_tokens, output_tokens : dict of str to float
        Sums by model; cached ones are part of the input.
    input_usd, cached_usd, output_usd : dict of str to float
        What uncached input, cached input and output cost at the prices in force.
    cost_usd : dict of str to float
        What the calls cost; it may be more or less than the three above.
    """

    runs: int
    successes: int
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


def merged(group: Group) -> Group:
    """The same group as if all its calls were of one model."""
    sums = {name: {"": sum(getattr(group, name).values())} for name in BY_MODEL}
    return replace(group, **sums)


def measured(group: Group) -> dict[str, float | None]:
    """The value of each factor in a group with a run, in its unit of `UNITS`; None where it has none."""

    def quotient(top: dict[str, float], bottom: dict[str, float]) -> float | None:
        whole = sum(bottom.values())
        return sum(top.values()) / whole if whole else None

    return {
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


BY_MODEL = (
    "calls", "input_tokens", "cached_tokens", "output_tokens", "input_usd", "cached_usd", "output_usd", "cost_usd",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bridge:
    """Both costs per success and what each factor moved, in US dollars per success."""

    before: float
    after: float
    parts: dict[str, float]


def bridge(before: Group, after: Group) -> Bridge | None:
    """Say what moved cost per success.

    Returns
    -------
    Bridge or None
        None where a group has no success or no run: its cost per success is not known then.

    Examples
    --------
    >>> one = dict(calls={"m": 10.0}, input_tokens={"m": 100.0}, cached_tokens={"m": 0.0}, output_tokens={"m": 10.0},
    ...            input_usd={"m": 1.0}, cached_usd={"m": 0.0}, output_usd={"m": 1.0}, cost_usd={"m": 2.0})
    >>> moved = bridge(Group(10, 8, 0.0, 0.0, **one), Group(10, 4, 0.0, 0.0, **one))
    >>> moved.before, moved.after, {name: round(part, 9) for name, part in moved.parts.items() if part}
    (0.25, 0.5, {'success rate': 0.25})
    """
    if min(before.runs, before.successes, after.runs, after.successes) <= 0:
        return None
    models = sorted(before.calls.keys() | after.calls.keys())
    factors = [_factors(group, models) for group in (before, after)]
    _lend(*factors)
    count = len(FACTORS)
    subsets = (
        np.arange(1 << count)[:, None] >> np.arange(count)
    ) & 1  # (2^n, n): 1 where the factor is that of the second group
    worth = _worth(subsets, *factors)
    sizes = subsets.sum(axis=1)
    weights = np.array([factorial(k) * factorial(count - k - 1) / factorial(count) for k in range(count)])
    parts: dict[str, float] = {}
    for i, name in enumerate(FACTORS):
        without = np.flatnonzero(subsets[:, i] == 0)
        gain = worth[without | (1 << i)] - worth[without]
        parts[name] = float((weights[sizes[without]] * gain).sum())
    return Bridge(float(worth[0]), float(worth[-1]), parts)


@dataclass(slots=True)
class _Factors:
    """One group's factors: scalars, and arrays (models,)."""

    rate: float
    calls: float
    share: NDArray[np.float64]
    tokens_in: NDArray[np.float64]
    tokens_out: NDArray[np.float64]
    cached: NDArray[np.float64]
    price: NDArray[np.float64]  # (4, models): uncached input, cached input, output a token; the rest a call
    tools: float
    escalations: float
    has: NDArray[
        np.bool_
    ]  # (7, models): share, tokens_in, tokens_out, cached; prices of the three kinds: known of this group


def _factors(group: Group, models: list[str]) -> _Factors:
    def of(sums: dict[str, float]) -> NDArray[np.float64]:
        return np.array([sums.get(model, 0.0) for model in models], np.float64)

    calls, inputs, cached, outputs = (
        of(each) for each in (group.calls, group.input_tokens, group.cached_tokens, group.output_tokens)
    )
    kinds = (inputs - cached, cached, outputs)
    spent = [of(each) for each in (group.input_usd, group.cached_usd, group.output_usd)]
    prices = [_ratio(usd, tokens) for usd, tokens in zip(spent, kinds, strict=True)]
    priced = sum(price * tokens for price, tokens in zip(prices, kinds, strict=True))
    rest = _ratio(of(group.cost_usd) - priced, calls)
    there = calls > 0
    return _Factors(
        rate=group.successes / group.runs,
        calls=float(calls.sum()) / group.runs,
        share=_ratio(calls, np.full(len(models), calls.sum())),
        tokens_in=_ratio(inputs, calls),
        tokens_out=_ratio(outputs, calls),
        cached=_ratio(cached, inputs),
        price=np.stack([*prices, rest]) if models else np.zeros((4, 0)),
        tools=group.tool_usd / group.runs,
        escalations=group.escalation_usd / group.runs,
        has=np.stack([there, there, there, inputs > 0, *(tokens > 0 for tokens in kinds)])
        if models
        else np.zeros((7, 0), bool),
    )


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quotient, 0 where there is nothing to divide by."""
    return np.divide(top, bottom, out=np.zeros(len(top)), where=bottom != 0)


def _lend(first: _Factors, second: _Factors) -> None:
    """Let what a group does not know of a model be that of the other group: then it did not move."""
    for own, other in ((first, second), (second, first)):
        gone = ~own.has[0] & other.has[0]
        for name in ("tokens_in", "tokens_out"):
            values = getattr(own, name)
            values[gone] = getattr(other, name)[gone]
        own.price[3, gone] = other.price[3, gone]
        lacks = ~own.has[3] & other.has[3]
        own.cached[lacks] = other.cached[lacks]
        for kind in range(3):
            lacks = ~own.has[4 + kind] & other.has[4 + kind]
            own.price[kind, lacks] = other.price[kind, lacks]


def _worth(subsets: NDArray[np.int64], first: _Factors, second: _Factors) -> NDArray[np.float64]:
    """Cost per success of each subset of factors taken from the second group, (2^n,)."""
    pick = subsets.astype(bool)

    def choose(i: int, one: float | NDArray[np.float64], two: float | NDArray[np.float64]) -> NDArray[np.float64]:
        which = pick[:, i]
        return np.where(which if np.ndim(one) == 0 else which[:, None], two, one)

    rate, calls = choose(0, first.rate, second.rate), choose(1, first.calls, second.calls)
    share = choose(2, first.share, second.share)
    inputs, outputs = choose(3, first.tokens_in, second.tokens_in), choose(4, first.tokens_out, second.tokens_out)
    cached = choose(5, first.cached, second.cached)
    prices = [choose(6, first.price[kind], second.price[kind]) for kind in range(4)]
    call = inputs * (1 - cached) * prices[0] + inputs * cached * prices[1] + outputs * prices[2] + prices[3]
    run = calls * (share * call).sum(axis=1)
    run = run + choose(7, first.tools, second.tools) + choose(8, first.escalations, second.escalations)
    return run / rate

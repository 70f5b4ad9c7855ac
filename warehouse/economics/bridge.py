r"""Why cost per success moved between two groups of runs: Shapley values of its factors, which add up to the move exactly.

Cost per success is a function of its factors:

.. math:: f = \frac1q \left[ K \sum_m w_m \left( t_m (1 - s_m) p^{in}_m + t_m s_m p^{cached}_m + o_m p^{out}_m + r_m \right)
              + T + E \right]

with the success rate *q*, model calls a run *K*, share of calls by model *w*, input and output tokens a call *t* and *o*,
cached share of the input *s*, prices *p*, what a call costs beyond those prices *r* (cache writes, audio, rounding; counted as
price), and tool and escalation cost a run *T* and *E*. With some factors of the second group and the others of the first, *f* is
a game; its Shapley value gives each factor its mean contribution over all orders in which the factors could have moved. So the
parts sum to the move without remainder, do not depend on an order, and change their sign when the groups are swapped.

Of several workflows each has its own factors, and their shares of the runs *v* are one more, the workflow mix:

.. math:: f = \frac{\sum_j v_j \left[ K_j \sum_m (\ldots) + T_j + E_j \right]}{\sum_j v_j q_j}

So the other factors are what moved within the workflows. One of which a group has no run has the other group's factors there: its
coming or going is workflow mix and nothing else.

A model of which one group has no call has no tokens and prices of its own there: those of the other group stand in, so that its
coming or going is model mix and nothing else. Where two models are compared, `merged` takes them for one: then tokens, cache and
price tell the difference.

References
----------
Shapley (1953), A value for n-person games. Ang (2004), Decomposition analysis for policymaking in energy (index numbers that do
the same; LMDI needs rules for zeros, this needs none).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import NDArray

from warehouse.economics.groups import FACTORS, Group, Groups, by_workflow, total


@dataclass(frozen=True, slots=True)
class Bridge:
    """Both costs per success and what each factor moved, in US dollars per success."""

    before: float
    after: float
    parts: dict[str, float]


def bridge(before: Groups, after: Groups) -> Bridge | None:
    """Say what moved cost per success.

    Parameters
    ----------
    before, after : Group or mapping of str to Group
        Of one workflow, or of several by name: then what their shares of the runs moved is workflow mix, which else is 0. All are
        taken for one where the shares of one side and the success rates of the other leave no success.

    Returns
    -------
    Bridge or None
        None where a side has no success or no run: its cost per success is not known then.

    Examples
    --------
    >>> one = dict(calls={"m": 10.0}, input_tokens={"m": 100.0}, cached_tokens={"m": 0.0}, output_tokens={"m": 10.0},
    ...            input_usd={"m": 1.0}, cached_usd={"m": 0.0}, output_usd={"m": 1.0}, cost_usd={"m": 2.0})
    >>> moved = bridge(Group(10, 8, 0.0, 0.0, **one), Group(10, 4, 0.0, 0.0, **one))
    >>> moved.before, moved.after, {name: round(part, 9) for name, part in moved.parts.items() if part}
    (0.25, 0.5, {'success rate': 0.25})
    >>> cheap, dear = Group(10, 8, 0.0, 0.0, **one), Group(10, 8, 6.0, 0.0, **one)
    >>> moved = bridge({"a": cheap, "b": dear}, {"b": dear})
    >>> moved.before, moved.after, {name: round(part, 9) for name, part in moved.parts.items() if part}
    (0.625, 1.0, {'workflow mix': 0.375})
    """
    sides = by_workflow(before), by_workflow(after)
    if any(sum(group.successes for group in side.values()) <= 0 for side in sides):
        return None
    count = len(FACTORS)
    subsets = (
        np.arange(1 << count)[:, None] >> np.arange(count)
    ) & 1  # (2^n, n): 1 where the factor is that of the second group
    worth = _worth(subsets, *_prepared(*sides))
    if worth is None:
        worth = _worth(subsets, *_prepared(*({"": total(side.values())} for side in sides)))
        assert worth is not None, "each side has a success"
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
    """One side's factors: arrays (workflows,), and (pairs,) of a workflow and a model that it called on either side."""

    mix: NDArray[np.float64]  # (workflows,): share of the runs
    rate: NDArray[np.float64]
    calls: NDArray[np.float64]
    tools: NDArray[np.float64]
    escalations: NDArray[np.float64]
    share: NDArray[np.float64]  # (pairs,): of the workflow's calls
    tokens_in: NDArray[np.float64]
    tokens_out: NDArray[np.float64]
    cached: NDArray[np.float64]
    price: NDArray[np.float64]  # (4, pairs): uncached input, cached input, output a token; the rest a call
    runs: NDArray[np.bool_]  # (workflows,): it has runs on this side
    called: NDArray[np.bool_]  # (pairs,): the workflow called any model
    has: NDArray[np.bool_]  # (5, pairs): called; input tokens; prices of the three kinds known of this side


def _prepared(first: dict[str, Group], second: dict[str, Group]) -> tuple[_Factors, _Factors, NDArray[np.int64]]:
    """The factors of both sides, with what one does not know lent by the other, and (pairs,) the place of a pair's workflow."""
    workflows = sorted(first.keys() | second.keys())
    pairs = sorted({(name, model) for side in (first, second) for name, group in side.items() for model in group.calls})
    places = {name: place for place, name in enumerate(workflows)}
    whose = np.array([places[name] for name, _ in pairs], np.int64)
    one, two = (_factors(side, workflows, pairs, whose) for side in (first, second))
    _lend(one, two)
    return one, two, whose


def _summed(values: NDArray[np.float64], whose: NDArray[np.int64], workflows: int) -> NDArray[np.float64]:
    """Sums of (..., pairs) by workflow, (..., workflows); the pairs of a workflow stand together."""
    sums = np.zeros((*values.shape[:-1], workflows))
    if len(whose):
        starts = np.flatnonzero(np.diff(whose, prepend=-1))
        sums[..., whose[starts]] = np.add.reduceat(values, starts, axis=-1)
    return sums


def _factors(
    side: dict[str, Group], workflows: list[str], pairs: list[tuple[str, str]], whose: NDArray[np.int64]
) -> _Factors:
    def number(name: str) -> NDArray[np.float64]:
        return np.array([getattr(side[each], name) if each in side else 0.0 for each in workflows], np.float64)

    def of(name: str) -> NDArray[np.float64]:
        sums = [getattr(side[each], name) if each in side else {} for each, _ in pairs]
        return np.array([each.get(model, 0.0) for each, (_, model) in zip(sums, pairs, strict=True)], np.float64)

    runs, calls = number("runs"), of("calls")
    inputs, cached, outputs = of("input_tokens"), of("cached_tokens"), of("output_tokens")
    kinds = (inputs - cached, cached, outputs)
    spent = [of(name) for name in ("input_usd", "cached_usd", "output_usd")]
    prices = [_ratio(usd, tokens) for usd, tokens in zip(spent, kinds, strict=True)]
    priced = sum((price * tokens for price, tokens in zip(prices, kinds, strict=True)), np.zeros(len(pairs)))
    of_workflow = _summed(calls, whose, len(workflows))
    return _Factors(
        mix=runs / runs.sum(),
        rate=_ratio(number("successes"), runs),
        calls=_ratio(of_workflow, runs),
        tools=_ratio(number("tool_usd"), runs),
        escalations=_ratio(number("escalation_usd"), runs),
        share=_ratio(calls, of_workflow[whose]),
        tokens_in=_ratio(inputs, calls),
        tokens_out=_ratio(outputs, calls),
        cached=_ratio(cached, inputs),
        price=np.stack([*prices, _ratio(of("cost_usd") - priced, calls)]),
        runs=runs > 0,
        called=of_workflow[whose] > 0,
        has=np.stack([calls > 0, inputs > 0, *(tokens > 0 for tokens in kinds)]),
    )


def _ratio(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quotient, 0 where there is nothing to divide by."""
    return np.divide(top, bottom, out=np.zeros(len(top)), where=bottom != 0)


def _lend(first: _Factors, second: _Factors) -> None:
    """Let what a side does not know of a workflow or a model be that of the other side: then it did not move."""
    for own, other in ((first, second), (second, first)):
        for name in ("rate", "calls", "tools", "escalations"):
            values = getattr(own, name)
            values[~own.runs] = getattr(other, name)[~own.runs]
        own.share[~own.called] = other.share[~own.called]
        gone = ~own.has[0] & other.has[0]
        for name in ("tokens_in", "tokens_out"):
            values = getattr(own, name)
            values[gone] = getattr(other, name)[gone]
        own.price[3, gone] = other.price[3, gone]
        lacks = ~own.has[1] & other.has[1]
        own.cached[lacks] = other.cached[lacks]
        for kind in range(3):
            lacks = ~own.has[2 + kind] & other.has[2 + kind]
            own.price[kind, lacks] = other.price[kind, lacks]


# Factors of what a call costs: a workflow's mean over its models depends on these alone.
_OF_CALL = ("model mix", "input tokens per call", "output tokens per call", "cache share", "price")


def _worth(
    subsets: NDArray[np.int64], first: _Factors, second: _Factors, whose: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Cost per success of each subset of factors taken from the second side, (2^n,); None where one leaves no success."""
    sides = (first, second)
    mix, rate, calls = (np.stack([getattr(side, name) for side in sides]) for name in ("mix", "rate", "calls"))
    succeeded = mix @ rate.T  # (2, 2): by the side of the mix and of the rates
    if (succeeded <= 0).any():
        return None
    at = {name: subsets[:, i] for i, name in enumerate(FACTORS)}
    # What a call costs, by the 32 subsets of its own factors: (32, workflows).
    choices = (np.arange(1 << len(_OF_CALL))[:, None] >> np.arange(len(_OF_CALL))) & 1

    def choose(factor: str, values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.stack(values)[choices[:, _OF_CALL.index(factor)]]

    share = choose("model mix", [side.share for side in sides])
    inputs = choose("input tokens per call", [side.tokens_in for side in sides])
    outputs = choose("output tokens per call", [side.tokens_out for side in sides])
    cached = choose("cache share", [side.cached for side in sides])
    prices = [choose("price", [side.price[kind] for side in sides]) for kind in range(4)]
    call = inputs * (1 - cached) * prices[0] + inputs * cached * prices[1] + outputs * prices[2] + prices[3]
    models = np.einsum("aw,bw,cw->abc", mix, calls, _summed(share * call, whose, mix.shape[1]))
    which = sum(at[name] << i for i, name in enumerate(_OF_CALL))
    run = models[at["workflow mix"], at["calls per run"], which]
    for factor, name in (("tool cost", "tools"), ("escalation cost", "escalations")):
        run = run + (mix @ np.stack([getattr(side, name) for side in sides]).T)[at["workflow mix"], at[factor]]
    return run / succeeded[at["workflow mix"], at["success rate"]]

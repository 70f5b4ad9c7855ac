"""What is detected: laws without change (nulls) and with one (changes), each drawn for many streams at once."""

from __future__ import annotations

import csv
import math
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]  # (streams, observations); a mix holds the numbers of its categories
Draw = Callable[[np.random.Generator, int, int], Values]

DAY = 288  # observations a day: one in 300 seconds
WEEK = 7 * DAY
TRACE = Path(os.environ.get("PLUMBLINE_TOKEN_TRACE", "/nonexistent"))


@dataclass(frozen=True, slots=True)
class Case:
    """One law.

    Parameters
    ----------
    kind : str
        'continuous', 'rate' or 'mix'.
    before, after : Draw
        Values without change, and those that follow a change; `after` is None for a null.
    llr : callable, optional
        Log-likelihood ratio of each value, after against before: what the oracle knows.
    aim : float, optional
        Largest allowed ratio of our median delay to the oracle's.
    seasonal : bool
        It needs weeks: see `season_weeks` of the options. The law starts at the first hour of a Monday.
    """

    name: str
    kind: str
    before: Draw
    after: Draw | None = None
    llr: Callable[[Values], Values] | None = None
    aim: float | None = None
    seasonal: bool = False

    def observations(self, options: dict[str, int]) -> int:
        """Give the length of a series without change."""
        return options["season_weeks"] * WEEK if self.seasonal else options["observations"]

    def change_at(self, options: dict[str, int]) -> int:
        """Give the index of the change; with a season after whole weeks, a third of those of the null."""
        return options["season_weeks"] // 3 * WEEK if self.seasonal else options["change_at"]

    def draw(self, rng: np.random.Generator, streams: int, observations: int, change: int) -> Values:
        """Give (streams, observations) values with the change at index `change`."""
        values = self.before(rng, streams, observations)
        if self.after is not None:
            values[:, change:] = self.after(rng, streams, observations - change)
        return values


def _normal(mean: float = 0.0) -> Draw:
    return lambda rng, streams, n: rng.normal(mean, size=(streams, n))


def _lognormal(factor: float = 1.0, log_sd: float = 1.0) -> Draw:
    return lambda rng, streams, n: factor * np.exp(log_sd * rng.normal(size=(streams, n)) - log_sd**2 / 2)


def _bernoulli(share: float) -> Draw:
    return lambda rng, streams, n: (rng.random((streams, n)) < share).astype(float)


def _categories(shares: Values) -> Draw:
    edges = np.cumsum(shares)[:-1]
    return lambda rng, streams, n: np.searchsorted(edges, rng.random((streams, n)), side="right").astype(float)


def _ramp(top: float) -> Draw:
    return lambda rng, streams, n: rng.normal(size=(streams, n)) + np.minimum(np.arange(n) / 1000, 1.0) * top


def _ar1(phi: float) -> Draw:
    def draw(rng: np.random.Generator, streams: int, n: int) -> Values:
        values = rng.normal(size=(streams, n))
        for at in range(1, n):
            values[:, at] = phi * values[:, at - 1] + math.sqrt(1 - phi**2) * values[:, at]
        return values

    return draw


def _season(shift: float = 0.0) -> Draw:
    """By the hour ±0.5 and at weekends −0.5 on the log scale; `shift` in standard deviations of what is left."""

    def draw(rng: np.random.Generator, streams: int, n: int) -> Values:
        at = np.arange(n)
        level = 0.5 * np.sin(2 * np.pi * at / DAY) - 0.5 * ((at // DAY) % 7 >= 5)
        return np.exp(level + 0.5 * (shift + rng.normal(size=(streams, n))))

    return draw


def _spikes(rng: np.random.Generator, streams: int, n: int) -> Values:
    spike = (rng.random((streams, n)) < 0.01) * rng.uniform(3, 5, size=(streams, n))
    return np.exp(rng.normal(size=(streams, n)) + spike)


def nulls() -> list[Case]:
    """Laws without change; real tokens only where PLUMBLINE_TOKEN_TRACE names the folder of the trace."""
    return [
        Case("normal", "continuous", _normal()),
        Case("lognormal, mean 1", "continuous", _lognormal()),
        Case("lognormal, mean 5,000", "continuous", _lognormal(5000.0)),
        Case("AR(1), φ = 0.5", "continuous", _ar1(0.5)),
        Case("day and weekend season", "continuous", _season(), seasonal=True),
        Case("spikes, 1 % at e³ to e⁵ times", "continuous", _spikes),
        Case("Bernoulli 1 %", "rate", _bernoulli(0.01)),
        Case("Bernoulli 5 %", "rate", _bernoulli(0.05)),
        Case("mix of 10", "mix", _categories(np.full(10, 0.1))),
        *(Case(f"tokens, {name}, shuffled", "continuous", _tokens(name)) for name in _traces()),
        *(Case(f"tokens, {name}, time order", "continuous", _tokens(name, ordered=True)) for name in _traces()),
    ]


def null_of(kind: str) -> Case:
    """Give the null on which a knob is tuned."""
    name = {"continuous": "normal", "rate": "Bernoulli 5 %", "mix": "mix of 10"}[kind]
    return next(case for case in nulls() if case.name == name)


def numbers(options: dict[str, int], name: str) -> np.random.Generator:
    """Give each part its own numbers, so that one part's size does not move another's."""
    return np.random.default_rng((options["seed"], zlib.crc32(name.encode())))


def without_change(case: Case, options: dict[str, int]) -> Values:
    """Draw a null's series: (streams, observations), the same for every detector."""
    return case.before(numbers(options, case.name), options["streams"], case.observations(options))


def with_change(case: Case, options: dict[str, int]) -> Values:
    """Draw a change's series: (repetitions, twice the index of the change), the same for every detector."""
    change = case.change_at(options)
    return case.draw(numbers(options, case.name), options["repetitions"], 2 * change, change)


def changes() -> list[Case]:
    """Laws with a change, with the oracle's ratio where there is one."""
    found = [
        Case(f"normal +{d} σ", "continuous", _normal(), _normal(d), lambda x, d=d: d * x - d * d / 2, 1.3)
        for d in (0.25, 0.5, 1.0, 2.0)
    ]
    found += [Case(f"ramp 0 → {top} σ in 1,000", "continuous", _normal(), _ramp(top)) for top in (0.5, 1.0)]
    for d in (0.5, 1.0):
        found.append(Case(f"season +{d} σ", "continuous", _season(), _season(d), seasonal=True))
    for factor in (1.2, 1.5):
        shift = math.log(factor)
        ratio = lambda x, d=shift: d * (np.log(x) + 0.5) - d * d / 2  # noqa: E731 - one of a family
        name = f"cost +{round(100 * (factor - 1))} %, log-sd 1"
        found.append(Case(name, "continuous", _lognormal(), _lognormal(factor), ratio, 1.3))
    for p, q in ((0.01, 0.02), (0.01, 0.05), (0.05, 0.10)):
        yes, no = math.log(q / p), math.log((1 - q) / (1 - p))
        ratio = lambda x, yes=yes, no=no: np.where(x > 0, yes, no)  # noqa: E731 - one of a family
        found.append(Case(f"rate {p:.0%} → {q:.0%}", "rate", _bernoulli(p), _bernoulli(q), ratio, 1.5))
    even = np.full(10, 0.1)
    spread, one_to_another = np.repeat((0.2, -0.2), 5), np.array((1.0, -1.0) + 8 * (0.0,))
    mixes = [(f"total variation {d}", even + d * spread) for d in (0.1, 0.2, 0.4)]
    mixes += [
        (f"one {what} another", even + d * one_to_another) for d, what in ((0.05, "half to"), (0.1, "replaced by"))
    ]
    one_to_all = np.array((1.0,) + 9 * (-1 / 9,))
    mixes += [
        (f"one {what} all others", even + d * one_to_all)
        for d, what in ((0.1, "takes 0.1 from"), (0.2, "takes 0.2 from"), (0.4, "takes 0.4 from"), (-0.1, "is lost to"))
    ]
    for name, moved in mixes:
        with np.errstate(divide="ignore"):  # of what is gone there is no more: one value of it clears the oracle
            logs = np.log(moved / even)
        ratio = lambda x, logs=logs: logs[x.astype(int)]  # noqa: E731 - one of a family
        found.append(Case(f"mix of 10, {name}", "mix", _categories(even), _categories(moved), ratio, 1.6))
    for name in _traces():
        inflated = _tokens(name, 1.2)
        found.append(Case(f"tokens, {name}, shuffled, +20 %", "continuous", _tokens(name), inflated))
    return found


def _traces() -> list[str]:
    return [name for name in ("code", "conv") if (TRACE / f"AzureLLMInferenceTrace_{name}.csv").exists()]


def _tokens(name: str, factor: float = 1.0, *, ordered: bool = False) -> Draw:
    """Windows of Azure's public trace: in its order from a random start, or drawn from it without order."""

    def draw(rng: np.random.Generator, streams: int, n: int) -> Values:
        with (TRACE / f"AzureLLMInferenceTrace_{name}.csv").open(encoding="utf-8") as file:
            pool = np.array([float(row["ContextTokens"]) for row in csv.DictReader(file)])
        if not ordered:
            return factor * rng.choice(pool, size=(streams, n))
        starts = rng.integers(0, max(1, len(pool) - n), size=streams)
        return pool[np.minimum(starts[:, None] + np.arange(n), len(pool) - 1)]

    return draw

"""Floors: the delay of detectors that are told of the change what no product can know, but must learn the law before it.

The oracle knows both laws. What stands between it and ours is not all lost by ours: the law before has to be learned from the
observations, and neither size nor direction of the change is told. Both prices are measured here, each by the sum of
Shiryaev and Roberts that is Bayes' rule for a change at any time (Pollak 1985), with what is unknown of the law before
integrated out.

With *R* the sum for one move of a law that is known but for one number, the sum of the likelihood ratios of all change points
is the mean of *R* over the posterior of that number given all values, as if nothing had changed. Without change
E (R_T - T) = 0 for every stopping time T, learning included.

References
----------
Pollak (1985), Optimal detection of a change in distribution. Pollak, Siegmund (1991), Sequential detection of a change in a
normal mean when the initial value is unknown.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from detectors.kernels.continuous import PARTS
from detectors.kernels.normal import SHIFTS
from detectors.kernels.rate import FAVOUR, ODDS
from detectors.kernels.rate import PARTS as RATE_PARTS
from tests.benchmarks.detection import cases, measure, oracle, ours
from tests.benchmarks.detection.cases import Case, Values

SLOW = 0.06  # squared spread of a mix's factors below which its sum is read at every fourth observation only
MIX = 0.4  # part of the streams on which a mix's floor is measured: it has 90 or 252 arrangements to weigh
SMALL_ARL = 1_000  # run length at which it is measured how far a sum lands beyond its threshold


@dataclass(frozen=True, slots=True)
class Family:
    """Moves of a law of which one number is unknown.

    Parameters
    ----------
    moves : (a, codes) float64
        Factor of each code's likelihood under each move; of numbers the shift, (a, 1).
    share : (a,) float64
        Of the sum, summing to 1.
    scale : (a, j) float64
        What makes the factor a likelihood ratio, at each value of the unknown.
    by_sum, by_count, prior : (j,) float64
        Log posterior of each value of the unknown: sum of the values (or factors) times the one, their number times the other.
    kind : str
    every : int
        Observations from one look at the sum to the next.
    """

    moves: Values
    share: Values
    scale: Values
    by_sum: Values
    by_count: Values
    prior: Values
    kind: str
    every: int = 1

    def run(self, values: Values, begin: int, limit: float) -> tuple[NDArray[np.int64], Values]:
        """Give the first look of each stream at which the sum, begun after `begin` values, is `limit` or more; the sum then.

        -1 and NaN where it never is.
        """
        return _first(
            np.ascontiguousarray(values), begin, self.moves, self.share, self.scale, self.by_sum, self.by_count, self.prior,
            self.kind == "continuous", self.kind == "mix", self.every, limit,
        )  # fmt: skip


def of_numbers(shifts: Values, share: Values) -> Family:
    """Give the shifts, in standard deviations, of a normal law of known spread and unknown mean."""
    mean = np.arange(-0.2, 0.4, 0.01)
    scale = np.exp(-shifts[:, None] * mean - shifts[:, None] ** 2 / 2)
    return Family(shifts[:, None], share / share.sum(), scale, mean, -(mean**2) / 2, np.zeros(len(mean)), "continuous")


def of_rates(odds: Values, share: Values) -> Family:
    """Give the moves of an unknown rate to so many times its odds."""
    logit = np.arange(math.log(0.001), math.log(0.3), 0.05)
    p = 1 / (1 + np.exp(-logit))
    scale = 1 / (1 + p * (odds[:, None] - 1))
    moves = np.stack((np.ones(len(odds)), odds), axis=1)
    prior = np.log(p) / 2 + np.log1p(-p) / 2  # Jeffreys', on the scale of the logit
    return Family(moves, share / share.sum(), scale, logit, np.log1p(-p), prior, "rate")


def of_mixes(factors: Values) -> Family:
    """Give every arrangement of `factors` over categories of unknown, about equal shares.

    A move changes the likelihood of a value by its category's factor over the mean factor, which alone must be learned.
    """
    moves = _arrangements(factors)
    spread = float(np.sqrt(np.mean(factors**2) - 1))
    unit = np.arange(-0.11, 0.11 + spread / 2, 0.6 / math.sqrt(4_000))
    mean = 1 + spread * unit
    share = np.full(len(moves), 1 / len(moves))
    scale = np.tile(1 / mean, (len(moves), 1))
    by_sum, by_count = mean / spread**2, -(mean**2) / (2 * spread**2)
    every = 4 if spread**2 < SLOW else 1
    return Family(moves, share, scale, by_sum, by_count, np.zeros(len(mean)), "mix", every)


def _arrangements(factors: Values) -> Values:
    """Every different order of `factors`, (orders, categories)."""
    found = [np.ones(len(factors))]
    for factor in sorted(set(factors.tolist()) - {1.0}):
        count, longer = int((factors == factor).sum()), []
        for order in found:
            for places in itertools.combinations(np.flatnonzero(order == 1.0).tolist(), count):
                longer.append(order.copy())
                longer[-1][list(places)] = factor
        found = longer
    return np.array(found)


def measured(options: dict[str, int]) -> dict[str, Any]:
    """Measure oracle, floors and ours on the same streams, more of them than the other tables have."""
    own = options | {"seed": options["seed"] + 1, "repetitions": options["floor_repetitions"]}
    rows = [_row(case, own) for case in cases.changes() if case.llr is not None]
    return {"repetitions": own["repetitions"], "at": f"{datetime.now(UTC):%Y-%m-%d}", "rows": rows}


def _row(case: Case, options: dict[str, int]) -> dict[str, Any]:
    change, arl = case.change_at(options), options["arl"]
    values = cases.with_change(case, options)
    limit = oracle.threshold(case, cases.numbers(options, f"oracle {case.name}"), arl, options["oracle_observations"])
    found = {"oracle": oracle.run(case, values, limit), "ours": ours.run(case, values, arl)}
    for name, family in families(case).items():
        part = MIX if case.kind == "mix" else 1.0
        streams = max(round(part * options["floor_null_streams"]), 4)
        null = case.before(cases.numbers(options, f"{name} {case.name}"), streams, change // 2 + 6 * SMALL_ARL)
        _, sums = family.run(_scale(case, null), change // 2, SMALL_ARL)
        beyond = float(np.nanmean(sums)) / SMALL_ARL  # E T = E R_T: so many times the threshold is the mean run
        few = values[: round(part * len(values))]
        first, _ = family.run(_scale(case, few), change // 2, arl / beyond)
        found[name] = measure.Alarms(first, np.full(len(first), np.nan), values.shape[1])
    return {
        "case": case.name,
        "aim": case.aim,
        "delays": {name: measure.delays(alarms, change) for name, alarms in found.items()},
    }


def _scale(case: Case, values: Values) -> Values:
    """Costs as their logarithm, of mean 0 and spread 1 as the case has it: the law's form is told."""
    return np.log(values) + 0.5 if case.name.startswith("cost") else values


def families(case: Case) -> dict[str, Family]:
    """Give the floors of a case: told the change; of numbers and rates also told neither size nor direction."""
    codes = np.arange(float({"rate": 2, "mix": 10}.get(case.kind, 2)))
    assert case.llr is not None
    if case.kind == "mix":
        factors = np.exp(case.llr(codes)).round(9)
        return {"told": of_mixes(factors)}
    if case.kind == "rate":
        no, yes = np.exp(case.llr(codes)).tolist()
        share = RATE_PARTS * np.repeat((1 + FAVOUR, 1 - FAVOUR), len(ODDS) // 2)
        return {"told": of_rates(np.array([yes / no]), np.ones(1)), "untold": of_rates(ODDS, share)}
    low, high = case.llr(np.exp([-0.5, 0.5]) if case.name.startswith("cost") else np.array([0.0, 1.0])).tolist()
    both = np.concatenate((SHIFTS, -SHIFTS))
    return {"told": of_numbers(np.array([high - low]), np.ones(1)), "untold": of_numbers(both, PARTS)}


@njit
def _first(values, begin, moves, share, scale, by_sum, by_count, prior, continuous, own, every, limit):
    streams, n = values.shape
    found, unknowns = scale.shape
    first, reached = np.full(streams, -1), np.full(streams, np.nan)
    sums = np.empty(found)
    weight = np.empty(unknowns)
    for stream in range(streams):
        ratio = np.zeros((found, unknowns))
        sums[:] = 0.0
        for at in range(n):
            x = values[stream, at]
            code = 0 if continuous else int(x)
            if own:
                for a in range(found):
                    sums[a] += moves[a, code]
            else:
                sums[0] += x
            if at < begin:
                continue
            for a in range(found):
                up = math.exp(moves[a, 0] * x) if continuous else moves[a, code]
                for j in range(unknowns):
                    ratio[a, j] = (ratio[a, j] + 1.0) * (up * scale[a, j])
            if at % every:
                continue
            total = 0.0
            for a in range(found):
                if own or a == 0:
                    highest = -np.inf
                    for j in range(unknowns):
                        weight[j] = sums[a] * by_sum[j] + (at + 1) * by_count[j] + prior[j]
                        highest = max(highest, weight[j])
                    whole = 0.0
                    for j in range(unknowns):
                        weight[j] = math.exp(weight[j] - highest)
                        whole += weight[j]
                    for j in range(unknowns):
                        weight[j] /= whole
                mean = 0.0
                for j in range(unknowns):
                    mean += weight[j] * ratio[a, j]
                total += share[a] * mean
            if total >= limit:
                first[stream], reached[stream] = at, total
                break
    return first, reached

"""The oracle: Page's CUSUM of the true log-likelihood ratio, the limit in practice; threshold by simulation.

References
----------
Page (1954), Continuous inspection schemes. Moustakides (1986), Optimal stopping times for detecting changes.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from tests.benchmarks.detection.cases import Case, Values
from tests.benchmarks.detection.measure import Alarms


def threshold(case: Case, rng: np.random.Generator, arl: float, observations: int) -> float:
    """Find the threshold whose mean run without change is `arl`, by bisection over one set of simulated ratios."""
    assert case.llr is not None
    ratios = case.llr(case.before(rng, max(1, observations // 10_000), 10_000)).ravel()
    low, high = 0.0, math.log(arl) + 1  # the mean run is at least the exponential of the threshold
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if _crossings(ratios, middle) * arl > len(ratios) else (low, middle)
    return (low + high) / 2


def run(case: Case, values: Values, limit: float) -> Alarms:
    """Give the first alarm of each stream, and the onset: the last zero before it."""
    assert case.llr is not None
    first, onset = _first(np.ascontiguousarray(case.llr(values)), limit)
    return Alarms(first, onset, values.shape[1])


@njit
def _crossings(ratios, limit):
    total, count = 0.0, 0
    for ratio in ratios:
        total = max(0.0, total + ratio)
        if total >= limit:
            total, count = 0.0, count + 1
    return count


@njit
def _first(ratios, limit):
    streams, n = ratios.shape
    first, onset = np.full(streams, -1), np.full(streams, np.nan)
    for stream in range(streams):
        total, zero = 0.0, 0
        for at in range(n):
            total += ratios[stream, at]
            if total <= 0.0:
                total, zero = 0.0, at + 1
            if total >= limit:
                first[stream], onset[stream] = at, zero
                break
    return first, onset

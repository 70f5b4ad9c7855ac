"""What two samples say about a change: the fitting test, the size of the effect, and its interval.

Pure functions of numbers. They describe what a detector has found: the samples are chosen because of the alarm, so their
p-value is no second proof, and a small one is expected.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

Numbers = NDArray[np.float64]

#: With fewer on a side no test says anything.
LEAST = 5
CONFIDENCE = 0.95
_Z = float(stats.norm.ppf(0.5 + CONFIDENCE / 2))
#: Resamples of runs behind the interval of a mix, permutations behind its p-value, and their seed: the same rows give the same.
_RESAMPLES, _PERMUTATIONS, _SEED = 999, 1999, 20_260_301


@dataclass(frozen=True, slots=True)
class TwoSample:
    """A test, and an effect with its 95 % interval.

    Attributes
    ----------
    test : str
        'Brunner-Munzel', 'Mann-Whitney', 'Fisher' or 'permuted chi-square'.
    statistic : float or None
        Of the test: W, U, the odds ratio, chi-square. None where it is not finite.
    p_value : float
        Two-sided; of permutations it is 0.0005 at least.
    measure : str
        What `effect` is: 'cliffs_delta' in [-1, 1], 'risk_difference' in [-1, 1], 'total_variation' in [0, 1].
    effect, low, high : float
    n_before, n_after : int
        Runs on each side.
    """

    test: str
    statistic: float | None
    p_value: float
    measure: str
    effect: float
    low: float
    high: float
    n_before: int
    n_after: int


def of_values(before: Numbers, after: Numbers) -> TwoSample | None:
    """Compare two samples of numbers by rank: Brunner-Munzel, and Cliff's delta.

    Cliff's delta is P(after > before) - P(after < before): 0 where they are alike, 1 where every later value is greater. Ranks
    need no law, and Brunner-Munzel no equal spread. Where the samples do not overlap its variance is zero; then Mann-Whitney
    says how surprising that is.

    Parameters
    ----------
    before, after : (n,) float64
        Finite, one per run.

    Returns
    -------
    TwoSample or None
        None with fewer than `LEAST` on a side.

    References
    ----------
    E. Brunner, U. Munzel (2000), The nonparametric Behrens-Fisher problem, Biometrical Journal 42.
    R. G. Newcombe (2006), Confidence intervals for an effect size measure based on the Mann-Whitney statistic, Statistics in
    Medicine 25, method 5.

    Examples
    --------
    >>> found = of_values(np.arange(40.0), np.arange(40.0) + 10)
    >>> found.test, round(found.effect, 2), round(found.low, 2), round(found.high, 2)
    ('Brunner-Munzel', 0.44, 0.19, 0.63)
    """
    if min(len(before), len(after)) < LEAST:
        return None
    ranks = stats.rankdata(np.concatenate([before, after]))
    u = float(ranks[len(before) :].sum()) - len(after) * (len(after) + 1) / 2
    superiority = u / (len(before) * len(after))
    statistic, p_value = u, 1.0
    if 0 < superiority < 1 and np.ptp(ranks) > 0:
        found: Any = stats.brunnermunzel(before, after, alternative="two-sided")
        name, statistic, p_value = "Brunner-Munzel", found.statistic, found.pvalue
    else:
        name = "Mann-Whitney"
        if np.ptp(ranks) > 0:
            p_value = stats.mannwhitneyu(after, before, alternative="two-sided").pvalue
    low, high = _superiority_interval(superiority, len(before), len(after))
    return TwoSample(
        name,
        _finite(statistic),
        _probability(p_value),
        "cliffs_delta",
        2 * superiority - 1,
        2 * low - 1,
        2 * high - 1,
        len(before),
        len(after),
    )


def _superiority_interval(theta: float, m: int, n: int) -> tuple[float, float]:
    """Newcombe's method 5: the thetas from which the one found is as far away as the normal quantile says."""
    more = (m + n) / 2 - 1

    def spread(candidate: float) -> float:
        inner = (1 - candidate) / (2 - candidate) + candidate / (1 + candidate)
        return _Z**2 * (1 + more * inner) / (m * n)

    def excess(candidate: float) -> float:
        return (candidate - theta) ** 2 - candidate * (1 - candidate) * spread(candidate)

    if theta in (0.0, 1.0):
        # The end itself solves the equation; the other solution is that of the equation divided by the distance to the end.
        low = float(optimize.brentq(lambda each: (1 - each) - each * spread(each), 0.0, 1.0))  # pyright: ignore[reportArgumentType]
        return (low, 1.0) if theta else (0.0, 1 - low)
    # At the found value the difference is negative, at both ends it is not.
    return (
        float(optimize.brentq(excess, 0.0, theta)),  # pyright: ignore[reportArgumentType]  # one float by default
        float(optimize.brentq(excess, theta, 1.0)),  # pyright: ignore[reportArgumentType]
    )


def of_rates(hits_before: int, n_before: int, hits_after: int, n_after: int) -> TwoSample | None:
    """Compare two rates: Fisher's exact test, and the risk difference after - before with Newcombe's hybrid score interval.

    Returns
    -------
    TwoSample or None
        None with fewer than `LEAST` runs on a side. The statistic is the odds ratio.

    References
    ----------
    R. G. Newcombe (1998), Interval estimation for the difference between independent proportions, Statistics in Medicine 17,
    method 10.

    Examples
    --------
    >>> found = of_rates(10, 500, 30, 100)
    >>> found.test, round(found.effect, 2), round(found.low, 3), round(found.high, 3)
    ('Fisher', 0.28, 0.197, 0.376)
    """
    if min(n_before, n_after) < LEAST:
        return None
    table = [[hits_after, n_after - hits_after], [hits_before, n_before - hits_before]]
    found: Any = stats.fisher_exact(table)
    rate_before, rate_after = hits_before / n_before, hits_after / n_after
    low_before, high_before = wilson(hits_before, n_before)
    low_after, high_after = wilson(hits_after, n_after)
    effect = rate_after - rate_before
    return TwoSample(
        "Fisher",
        _finite(found.statistic),
        _probability(found.pvalue),
        "risk_difference",
        effect,
        effect - math.hypot(rate_after - low_after, high_before - rate_before),
        effect + math.hypot(high_after - rate_after, rate_before - low_before),
        n_before,
        n_after,
    )


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Give the 95 % score interval of a rate; (0, 1) of none.

    References
    ----------
    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22.

    Examples
    --------
    >>> [round(bound, 3) for bound in wilson(8, 10)]
    [0.49, 0.943]
    """
    if n == 0:
        return 0.0, 1.0
    middle = (hits + _Z**2 / 2) / (n + _Z**2)
    half = _Z / (n + _Z**2) * math.sqrt(hits * (n - hits) / n + _Z**2 / 4)
    return max(0.0, middle - half), min(1.0, middle + half)


def of_shares(before: Numbers, after: Numbers) -> TwoSample | None:
    """Compare two mixes: a chi-square test that permutes runs, and the total variation between them.

    A run's calls resemble each other, so a run counts once: its row holds the share of each category in it, and the table is
    their sum. The chi-square law would take each row for one call, and so miss much; permuting which runs came after the onset
    needs no law.

    Parameters
    ----------
    before, after : (runs, categories) float64
        Rows add up to 1.

    Returns
    -------
    TwoSample or None
        None with fewer than `LEAST` runs on a side, or where all runs are of one category. The interval is the basic bootstrap's
        over runs, which takes the upward bias of a distance out.

    References
    ----------
    A. C. Davison, D. V. Hinkley (1997), Bootstrap methods and their application, sections 4.3 and 5.2.

    Examples
    --------
    >>> mix = lambda a, n: np.repeat([[1.0, 0.0], [0.0, 1.0]], [a, n - a], axis=0)
    >>> found = of_shares(mix(90, 100), mix(50, 100))
    >>> found.test, round(found.effect, 2), found.p_value == 0.0005, 0.2 < found.low < 0.4 < found.high < 0.6
    ('permuted chi-square', 0.4, True, True)
    """
    if min(len(before), len(after)) < LEAST:
        return None
    shares = np.vstack([before, after])
    if np.count_nonzero(shares.sum(axis=0)) < 2:
        return None
    rng = np.random.default_rng(_SEED)
    is_after = np.repeat([0.0, 1.0], [len(before), len(after)])
    found = _chi_square(is_after[None, :], shares)[0]
    permuted = _chi_square(rng.permuted(np.tile(is_after, (_PERMUTATIONS, 1)), axis=1), shares)
    effect = _distance(before.mean(axis=0), after.mean(axis=0))
    again = _distance(_resampled(rng, before), _resampled(rng, after))
    tail = (1 - CONFIDENCE) / 2
    below, above = np.quantile(again, [tail, 1 - tail])
    return TwoSample(
        "permuted chi-square",
        _finite(found),
        # Equal ones are not told apart by the last bits of a sum.
        _probability((1 + np.count_nonzero(permuted >= found * (1 - 1e-9))) / (_PERMUTATIONS + 1)),
        "total_variation",
        float(effect),
        float(np.clip(2 * effect - above, 0.0, 1.0)),
        float(np.clip(2 * effect - below, 0.0, 1.0)),
        len(before),
        len(after),
    )


def _chi_square(is_after: Numbers, shares: Numbers) -> Numbers:
    """Pearson's statistic of the 2 x categories table, for each row of `is_after`, (n, runs) of 0 and 1."""
    total = shares.sum(axis=0)
    shares, total = shares[:, total > 0], total[total > 0]
    runs = len(shares)
    expected = is_after.sum(axis=1, keepdims=True) / runs * total
    off = is_after @ shares - expected
    return (off**2 / expected + off**2 / (total - expected)).sum(axis=1)


def _resampled(rng: np.random.Generator, rows: Numbers) -> Numbers:
    weights = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=_RESAMPLES)
    return weights @ rows / len(rows)


def _distance(one: Numbers, other: Numbers) -> Any:
    return 0.5 * np.abs(one - other).sum(axis=-1)


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _probability(value: Any) -> float:
    return float(min(max(value, 0.0), 1.0))

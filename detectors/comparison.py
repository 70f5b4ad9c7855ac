r"""Two groups of runs compared while they come in: intervals that hold at every look.

A confidence sequence of level :math:`1-\alpha` covers the truth at all sample sizes at once, so that looking every day, and
stopping when the answer is there, costs nothing. Each group has an e-process: a statistic that is at most :math:`1/\alpha` at
all times with probability :math:`1-\alpha` where the parameter is the true one (Ville's inequality). The groups are
independent, so the product of both is one too, whatever the order in which their runs come; the interval of the difference holds
every value for which some pair of parameters keeps the product below :math:`1/\alpha`.

`rate_difference` is exact for runs whose chance of yes stays the same. `mean_difference` is asymptotic: its level holds in
the limit, for any law with a finite variance; validated by simulation in docs/compare.md.

References
----------
Robbins (1970), Statistical methods related to the law of the iterated logarithm (the mixture).
Howard, Ramdas, McAuliffe, Sekhon (2021), Time-uniform, nonparametric, nonasymptotic confidence sequences, sections 3, 4.
Miettinen, Nurminen (1985), Comparative analysis of two rates, appendix I (the likeliest pair of rates of a given difference).
Jennison, Turnbull (2000), Group Sequential Methods with Applications to Clinical Trials, section 3.1.
Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2024), Time-uniform central limit theory and asymptotic confidence sequences,
theorem 2.2 and equation (10) for the choice of rho.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

#: Runs at which an interval of means is narrowest for its level: as many as two groups of twice this number give.
TUNED_FOR = 200
#: Runs of each group before a mean is compared at all: the level of its interval holds in the limit.
LEAST_FOR_MEANS = 50
#: Runs of each group before a rate is compared: fewer are no reason to look, though the interval would hold.
LEAST_FOR_RATES = 10
#: How exactly the ends of an interval of a rate are found.
_ENDS_WITHIN = 1e-12


@dataclass(frozen=True, slots=True)
class Group:
    """Counts, mean and variance of one group; what the intervals need to know of it.

    Attributes
    ----------
    n : int
    mean : float
        Of a rate: the share of yes.
    variance : float
        Of one value, divided by n; not needed for a rate.
    """

    n: int
    mean: float
    variance: float = math.nan


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference (second group less first) and the ends of its interval, in the unit of the values."""

    estimate: float
    low: float
    high: float


def rate_difference(first: Group, second: Group, alpha: float) -> Interval:
    r"""Difference of two rates, with an interval of level 1 - `alpha` at all times.

    Each group has the mixture of Bernoulli likelihoods over a uniform prior,
    :math:`M(p) = B(1+k, 1+n-k) / (p^k (1-p)^{n-k})`. Its logarithm is convex in *p*, so that the set of differences *d* with
    :math:`\min_p \ln M_1(p) + \ln M_2(p+d) < \ln(1/\alpha)` is an interval.

    Raises
    ------
    ValueError
        A group is empty, or `alpha` is not within (0, 1).
    """
    _check(first, second, alpha)
    limit = -math.log(alpha)
    estimate = second.mean - first.mean
    groups = [(g.n, round(g.n * g.mean)) for g in (first, second)]
    mixtures = [_log_beta(1 + yes, 1 + n - yes) for n, yes in groups]

    def evidence(p: float, group: int) -> float:
        n, yes = groups[group]
        return mixtures[group] - _log_likelihood(n, yes, p)

    def excess(difference: float) -> float:
        """Evidence against this difference beyond the limit: that of the pair of rates that speaks least against it."""
        p = _likeliest(groups, difference)
        return evidence(p, 0) + evidence(min(max(p + difference, 0.0), 1.0), 1) - limit

    return Interval(estimate, _end(excess, estimate, -1.0), _end(excess, estimate, 1.0))


def _log_beta(a: int, b: int) -> float:
    """Logarithm of the beta function; SciPy's own takes longer to load than all comparisons of a refresh."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_likelihood(n: int, yes: int, p: float) -> float:
    """Of `yes` in `n` runs at rate `p` in [0, 1]; minus infinity where they can't be."""
    if (yes and p <= 0) or (n > yes and p >= 1):
        return -math.inf
    return (yes * math.log(p) if yes else 0.0) + ((n - yes) * math.log1p(-p) if n > yes else 0.0)


def _likeliest(groups: Sequence[tuple[int, int]], difference: float) -> float:
    """First rate of the likeliest pair of rates that are this difference apart.

    The derivative of the log-likelihood has a cubic numerator, of which one root lies in the range of rates; the closed form
    is that of Miettinen and Nurminen (1985). Where it loses digits the likelihood is flat, so that they don't matter.

    Parameters
    ----------
    groups : two of (runs, yes)
    difference : float
        Second rate less the first, in [-1, 1].
    """
    (n, yes), (n_other, yes_other) = groups
    total, all_yes = n + n_other, yes + yes_other
    square = ((2 * n + n_other) * difference - total - all_yes) / (3 * total)
    linear = ((n * difference - total - 2 * yes) * difference + all_yes) / (3 * total)
    turn = square**3 - 1.5 * linear * square + yes * difference * (1 - difference) / (2 * total)
    radius = math.copysign(math.sqrt(max(square * square - linear, 0.0)), turn)
    angle = (math.pi + math.acos(min(max(turn / radius**3, -1.0), 1.0))) / 3 if radius else 0.0
    return min(max(2 * radius * math.cos(angle) - square, 0.0, -difference), 1.0, 1.0 - difference)


def _end(excess: Callable[[float], float], inside: float, outside: float) -> float:
    """Where the evidence passes the limit between a difference inside and the farthest there is."""
    if excess(outside) <= 0:
        return outside
    # By halving: SciPy's root finders take longer to load than all comparisons of a refresh.
    while abs(outside - inside) > _ENDS_WITHIN:
        middle = (inside + outside) / 2
        if excess(middle) > 0:
            outside = middle
        else:
            inside = middle
    return (inside + outside) / 2


def mean_difference(first: Group, second: Group, alpha: float) -> Interval:
    r"""Difference of two means, with an asymptotic interval of level 1 - `alpha` at all times.

    With :math:`V = s_1^2/n_1 + s_2^2/n_2` the score :math:`(\bar x_2 - \bar x_1 - d)/V` has independent increments in the
    information :math:`1/V`, whatever the order in which the groups grow (Jennison and Turnbull 2000, section 3.1), as a Brownian
    motion has. Its normal mixture, in units of the mean variance :math:`s^2`, :math:`m = s^2/V`, gives the half width
    :math:`\sqrt{V} \sqrt{2 \frac{m\rho^2 + 1}{m\rho^2} \ln\frac{\sqrt{m\rho^2 + 1}}{\alpha}}`.

    Raises
    ------
    ValueError
        A group is empty, or `alpha` is not within (0, 1).
    """
    _check(first, second, alpha)
    estimate = second.mean - first.mean
    spread = first.variance / first.n + second.variance / second.n
    if spread == 0:
        return Interval(estimate, estimate, estimate)
    narrowest = -2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)
    information = (first.variance + second.variance) / 2 / spread * narrowest / TUNED_FOR
    half = math.sqrt(2 * spread * (information + 1) / information * (0.5 * math.log(information + 1) - math.log(alpha)))
    return Interval(estimate, estimate - half, estimate + half)


def rate(group: Group, alpha: float) -> Interval:
    """One rate with its interval of level 1 - `alpha` at all times, by the same mixture.

    Raises
    ------
    ValueError
        The group is empty, or `alpha` is not within (0, 1).
    """
    _check(group, group, alpha)
    yes = round(group.n * group.mean)
    mixture = _log_beta(1 + yes, 1 + group.n - yes)

    def excess(p: float) -> float:
        return mixture - _log_likelihood(group.n, yes, p) + math.log(alpha)

    return Interval(group.mean, _end(excess, group.mean, 0.0), _end(excess, group.mean, 1.0))


def group_of(values: Floats) -> Group:
    """Summarise the values of one group, all finite; an empty one has n = 0.

    Parameters
    ----------
    values : (n,) float64
    """
    if len(values) == 0:
        return Group(0, math.nan)
    return Group(len(values), float(np.mean(values)), float(np.var(values)))


def verdict(interval: Interval, margin: float, *, higher_is_better: bool) -> str:
    """Say what an interval shows.

    Parameters
    ----------
    margin : float
        A difference that does not matter, in the unit of the interval; not negative.

    Returns
    -------
    str
        'same within the margin': all that is not excluded is too small to matter, be it zero or not. 'better' or 'worse': zero
        is excluded. 'no worse than the margin': what is not excluded is too small to matter on the bad side. 'no difference
        yet': anything is possible still.
    """
    low, high = (interval.low, interval.high) if higher_is_better else (-interval.high, -interval.low)
    if low >= -margin and high <= margin:
        return "same within the margin"
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    return "no worse than the margin" if low >= -margin else "no difference yet"


def _check(first: Group, second: Group, alpha: float) -> None:
    if min(first.n, second.n) < 1:
        raise ValueError("a group without a value has no interval")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie within (0, 1), not {alpha}")

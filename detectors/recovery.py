"""Whether a drifted stream is back: each of its runs weighs "as before the onset" against "as after it", until one is sure.

A run shows a share in [0, 1]: how much of it lies beyond what told the two samples apart best. Its score is the logarithm of
how much likelier that share's calls are with the share from before than with the one from after; scores are added up, never
below 0. Nothing is assumed of the law of the values.

While the stream stays at least as far away as the share from after says, the mean of exp(score) is at most 1: a rate's by
definition, and a mean over calls that belong together by Jensen's inequality. So the Shiryaev-Roberts sum of the scores grows by
1 a run at most on average; it is never below exp of the sum here, so the mean number of runs to a false return is at least exp of
the threshold. That takes runs to be independent of each other.

References
----------
G. Lorden (1971), Procedures for reacting to a change in distribution, Annals of Mathematical Statistics 42.
M. Pollak (1985), Optimal detection of a change in distribution, Annals of Statistics 13.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

#: With fewer runs on a side there is nothing to tell apart.
LEAST_RUNS = 5
#: Runs that a return takes at least: a stretch of luck is no return, however clear each run.
SHORTEST = 30
#: Mean runs to a false return while the drift stays, at least; and so many weeks of the stream's own runs.
RUNS_TO_FALSE, WEEKS_TO_FALSE = 1000.0, 4.0
#: Where a return would take more runs than this on average, the two samples are too much alike to tell.
MOST_RUNS = 1000
#: Standard errors by which the share from after is taken to be nearer to that from before than it was seen: it was seen because
#: of an alarm, at the cut that parts the samples best, so it is seen too far away.
CAUTION = 1.0


@dataclass(frozen=True, slots=True)
class ReturnTest:
    """The two shares that are weighed, and how sure is sure.

    Attributes
    ----------
    before, after : float
        Mean share of a run beyond the cut: before the onset, and after it, the latter with caution; in (0, 1).
    threshold : float
        Logarithm of the mean runs to a false return.
    """

    before: float
    after: float
    threshold: float

    def scores(self, shares: Numbers) -> Numbers:
        """Return the score of each run: positive speaks for a return.

        Parameters
        ----------
        shares : (n,) float64
            In [0, 1].

        Examples
        --------
        >>> ReturnTest(0.1, 0.5, 7.0).scores(np.array([0.0, 1.0])).round(2).tolist()
        [0.59, -1.61]
        """
        beyond = math.log(self.before / self.after)
        within = math.log((1 - self.before) / (1 - self.after))
        return shares * beyond + (1 - shares) * within


def return_test(before: Numbers, after: Numbers, runs_per_week: float = 0.0) -> ReturnTest | None:
    """Return the test that two samples give; None where they are too few, or too much alike.

    Parameters
    ----------
    before, after : (n,) float64
        Share of each run beyond the cut, in [0, 1].
    runs_per_week : float
        Of the stream: the more it has, the surer a return must be.

    Examples
    --------
    >>> rare, often = np.repeat([1.0, 0.0], [10, 490]), np.repeat([1.0, 0.0], [20, 80])
    >>> found = return_test(rare, often)
    >>> round(found.before, 3), round(found.after, 3), round(math.exp(found.threshold))
    (0.021, 0.166, 1000)
    >>> return_test(rare, rare) is None
    True
    """
    if min(len(before), len(after)) < LEAST_RUNS:
        return None
    usual, seen = (float((each.sum() + 0.5) / (len(each) + 1)) for each in (before, after))
    near = _nearer(seen, len(after), math.copysign(CAUTION, usual - seen))
    if (near - usual) * (seen - usual) <= 0:
        return None
    test = ReturnTest(usual, near, math.log(max(RUNS_TO_FALSE, WEEKS_TO_FALSE * runs_per_week)))
    gain = float(test.scores(np.array([usual]))[0])
    return test if gain * MOST_RUNS >= test.threshold else None


def _nearer(share: float, runs: int, errors: float) -> float:
    """The end of the score interval (Wilson) of a share, so many standard errors up or down."""
    middle = share + errors**2 / (2 * runs)
    half = errors * math.sqrt(share * (1 - share) / runs + errors**2 / (4 * runs**2))
    return (middle + half) / (1 + errors**2 / runs)


def best_cut(before: Numbers, after: Numbers) -> float:
    """Return the value at which the shares above it differ most between two samples (Kolmogorov-Smirnov); of equals the least.

    Parameters
    ----------
    before, after : (n,) float64
        Finite, one per run.

    Examples
    --------
    >>> best_cut(np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0, 5.0]))
    2.0
    """
    values = np.unique(np.concatenate([before, after]))
    below = [np.searchsorted(np.sort(each), values, side="right") for each in (before, after)]
    # Both shares over one denominator: whole numbers, so that equals are equal.
    return float(values[np.argmax(np.abs(below[0] * len(after) - below[1] * len(before)))])


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stream has come back: the sum of scores, and the stretch of runs since that was 0.

    Attributes
    ----------
    score : float
        Between 0 and the threshold.
    runs : int
    total : float
        Sum of what these runs showed, in the metric's unit.
    since : int or None
        Event time of the first of them, microseconds since 1970; None where there is none.
    is_back : bool
        Holds from the threshold on until the score is 0 again.
    """

    score: float = 0.0
    runs: int = 0
    total: float = 0.0
    since: int | None = None
    is_back: bool = False

    def after(self, at: int, score: float, shown: float, threshold: float) -> Progress:
        """Return where a stream stands after one more run.

        Examples
        --------
        >>> start = Progress()
        >>> start.after(1, 0.5, 3.0, 7.0).after(2, 0.5, 5.0, 7.0)
        Progress(score=1.0, runs=2, total=8.0, since=1, is_back=False)
        >>> start.after(1, 0.5, 3.0, 7.0).after(2, -0.6, 5.0, 7.0)
        Progress(score=0.0, runs=0, total=0.0, since=None, is_back=False)
        """
        total = min(self.score + score, threshold)
        if total <= 0:
            return Progress()
        runs = self.runs + 1
        is_back = self.is_back or (total >= threshold and runs >= SHORTEST)
        return Progress(total, runs, self.total + shown, at if self.since is None else self.since, is_back)

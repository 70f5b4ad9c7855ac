"""Where the month will land: a level and a weekday's share of it, from the days that are complete.

y(d) = level · weekday(d) + error. The level is the mean of the last `LEVEL_DAYS` days, each divided by its weekday's factor. A
weekday's factor is its mean over the mean of all days, drawn towards 1 by `SHRINK` days, and 1 for all until two whole weeks are
known (a classical decomposition: Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd ed., sections 3.4 and 5.7).

The interval is that of the sum of h future days, Student's t with the level's degrees of freedom:

    level · Σ w  ±  t · s · √( Σ w² · a + (Σ w)² · a / n ),    a = (1 + ρ) / (1 − ρ)

s is the standard deviation of the daily errors, ρ their correlation from day to day (0 to 0.8): days that lean the same way make
the sum less certain than independent ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_DAYS = 5  # complete days without which nothing is foretold
LEVEL_DAYS = 28
SHRINK = 1.0  # a weekday's factor counts as if it had been 1 on so many days more
COVERAGE = 0.9
HORIZON = 7  # days ahead at which past forecasts are judged
_MOST_CORRELATED = 0.8


@dataclass(frozen=True, slots=True)
class Forecast:
    """The sum of some days to come.

    Attributes
    ----------
    total, low, high : float
        Expected sum and its 90 % interval, in the unit of the days; not below 0.
    """

    total: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Backtest:
    """How earlier forecasts of a week did.

    Attributes
    ----------
    forecasts : int
        Weeks that were forecast, one from each day on.
    error : float
        Mean of |forecast − spent| ÷ mean of spent: 0.1 is ten per cent.
    covered : float
        Share of them whose interval held what was spent; aimed at `COVERAGE`.
    """

    forecasts: int
    error: float
    covered: float


def forecast(days: NDArray[np.float64], first_weekday: int, ahead: int) -> Forecast | None:
    """Forecast the sum of the `ahead` days that follow.

    Parameters
    ----------
    days : (n,) float64
        Spend of complete days that follow each other, the oldest first; a day without any is 0.
    first_weekday : int
        Weekday of the first, 0 is Monday.
    ahead : int
        Days to come.

    Returns
    -------
    Forecast or None
        None with fewer than `LEAST_DAYS` days.

    Examples
    --------
    >>> forecast(np.full(10, 2.0), first_weekday=0, ahead=3)
    Forecast(total=6.0, low=6.0, high=6.0)
    """
    from scipy.special import stdtrit  # here: a refresh without budgets foretells nothing, and need not load it

    n = len(days)
    if n < LEAST_DAYS:
        return None
    if ahead <= 0:
        return Forecast(0.0, 0.0, 0.0)
    weekday = (first_weekday + np.arange(n)) % 7
    factors = _factors(days, weekday)
    level_days = slice(max(0, n - LEVEL_DAYS), n)
    shares = factors[weekday[level_days]]
    level = float(days[level_days].sum() / shares.sum())
    errors = days[level_days] - level * shares
    used = len(errors)
    degrees = max(used - (7 if n >= 14 else 1), 2)
    spread = float(np.sqrt((errors**2).sum() / degrees))
    inflation = (1.0 + _correlation(errors)) / (1.0 - _correlation(errors))
    coming = factors[(first_weekday + n + np.arange(ahead)) % 7]
    total = level * float(coming.sum())
    uncertain = spread * np.sqrt(inflation * (float((coming**2).sum()) + float(coming.sum()) ** 2 / used))
    reach = float(stdtrit(degrees, 0.5 + COVERAGE / 2)) * float(uncertain)
    return Forecast(max(total, 0.0), max(total - reach, 0.0), max(total + reach, 0.0))


def _factors(days: NDArray[np.float64], weekday: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each weekday's share of an average day, (7,); ones where two weeks are not known or nothing was spent."""
    mean = float(days.mean())
    if len(days) < 14 or mean <= 0.0:
        return np.ones(7)
    count = np.bincount(weekday, minlength=7)
    total = np.bincount(weekday, weights=days, minlength=7)
    return (total / mean + SHRINK) / (count + SHRINK)


def _correlation(errors: NDArray[np.float64]) -> float:
    """Correlation of neighbouring errors, 0 to `_MOST_CORRELATED`, less what a short series takes from it (Kendall 1954)."""
    power = float((errors**2).sum())
    if power <= 0.0:
        return 0.0
    seen = float((errors[1:] * errors[:-1]).sum()) / power
    return min(max(seen + (1.0 + 3.0 * seen) / len(errors), 0.0), _MOST_CORRELATED)


def backtest(days: NDArray[np.float64], first_weekday: int) -> Backtest | None:
    """Forecast every week that has passed from the days before it, and compare; None where there was none to forecast.

    Parameters
    ----------
    days : (n,) float64
        As for `forecast`.
    first_weekday : int
        Weekday of the first, 0 is Monday.
    """
    misses: list[float] = []
    spent: list[float] = []
    held: list[bool] = []
    for known in range(LEAST_DAYS, len(days) - HORIZON + 1):
        made = forecast(days[:known], first_weekday, HORIZON)
        assert made is not None
        truth = float(days[known : known + HORIZON].sum())
        misses.append(abs(made.total - truth))
        spent.append(truth)
        held.append(made.low <= truth <= made.high)
    if not misses or sum(spent) <= 0.0:
        return None
    return Backtest(len(misses), sum(misses) / sum(spent), sum(held) / len(held))

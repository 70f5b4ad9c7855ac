"""A month's budget: what is spent, which rungs of the ladder are passed, how fast it burns, where it will land."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from warehouse.economics.forecast import Backtest, backtest, forecast

RUNGS = (0.5, 0.8, 1.0)  # shares of the budget that are told of, once a month each
BURN_DAYS = (1, 7)  # windows of the burn rate: a spike shows in the short one, and a trend in both


@dataclass(frozen=True, slots=True)
class Budget:
    """One month of one budget, as of a day.

    Attributes
    ----------
    spent : float
        From the month's first day on, the day under way included.
    used : float or None
        spent ÷ budget; null for a budget of 0.
    passed : dict of float to date
        The day on which each rung of `RUNGS` was passed, of those that were.
    burn : dict of int to float or None
        Per window of `BURN_DAYS` complete days: spend a day ÷ (budget ÷ days of the month). At 1 the budget lasts the month to
        the day. Null without so many complete days, and for a budget of 0.
    landing, low, high : float or None
        Spend at the month's end with its 90 % interval; of a month that is over the spend itself. Null with too few days.
    judged : Backtest or None
        How forecasts of a week did so far.
    """

    spent: float
    used: float | None
    passed: dict[float, date]
    burn: dict[int, float | None]
    landing: float | None
    low: float | None
    high: float | None
    judged: Backtest | None


def status(days: NDArray[np.float64], first: date, month: date, budget: float, today: date) -> Budget:
    """Say how a month's budget stands.

    Parameters
    ----------
    days : (n,) float64
        Spend of each day from `first` on without a gap, up to and including `today`, in US dollars.
    first : date
        The first day of which spend is known.
    month : date
        First day of the month in question, not after `today`.
    budget : float
        For the whole month, in US dollars.
    today : date
        The day under way: it counts as spent, and is not complete.

    Examples
    --------
    >>> found = status(np.full(11, 10.0), date(2026, 9, 1), date(2026, 9, 1), 100.0, date(2026, 9, 11))
    >>> found.spent, found.passed[0.5], found.burn[7], round(found.landing)
    (110.0, datetime.date(2026, 9, 5), 3.0, 300)
    """
    length = monthrange(month.year, month.month)[1]
    end = month + timedelta(days=length)
    begin = max((month - first).days, 0)
    own = days[begin : max((end - first).days, 0)]
    spent = float(own.sum())
    running = np.cumsum(own)
    start = first + timedelta(days=begin)
    passed = {
        rung: start + timedelta(days=int(np.argmax(running >= rung * budget)))
        for rung in RUNGS
        if budget > 0 and len(running) and running[-1] >= rung * budget
    }
    over = today >= end
    complete = days[: (end - first).days] if over else days[:-1]
    burn: dict[int, float | None] = {
        window: float(complete[-window:].mean()) * length / budget if budget > 0 and len(complete) >= window else None
        for window in BURN_DAYS
    }
    landing = low = high = None
    judged = backtest(complete, first.weekday())
    if over:
        landing = low = high = spent
    elif (rest := forecast(complete, first.weekday(), (end - today).days)) is not None:
        # The day under way is forecast too; what it has cost so far is the least it can cost.
        before = float(own[:-1].sum())
        landing, low, high = (max(before + part, spent) for part in (rest.total, rest.low, rest.high))
    return Budget(spent, spent / budget if budget > 0 else None, passed, burn, landing, low, high, judged)

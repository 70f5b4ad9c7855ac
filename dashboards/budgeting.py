"""How a month's spend runs on: what each day cost so far, and where the month will land, day by day. Pure.

The forecast is that of `warehouse.economics.forecast`, asked once for each day to come: the last one is the landing of
``budgets_monthly``.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from warehouse.economics.forecast import LEAST_DAYS, Backtest, backtest, forecast


@dataclass(frozen=True, slots=True)
class Month:
    """Spend of the month under way, running up to its end.

    Parameters
    ----------
    first, today, last : date
        First day of the month, the day under way, its last day (UTC).
    days : tuple of date
        Those of the month with what was spent, up to today.
    spent : tuple of float
        Running sum at the end of each, in US dollars.
    ahead : tuple of date
        Days to come, today included; empty where nothing can be foretold.
    expected, low, high : tuple of float
        Running sum at the end of each, with its 90 % interval.
    judged : Backtest | None
        How earlier forecasts of a week did.
    coverage_ratio : float | None
        Runs with a known cost ÷ runs, of the month.
    complete_days : int
        Days that the forecast rests on.
    """

    first: date
    today: date
    last: date
    days: tuple[date, ...]
    spent: tuple[float, ...]
    ahead: tuple[date, ...]
    expected: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    judged: Backtest | None
    coverage_ratio: float | None
    complete_days: int

    @property
    def lacks(self) -> str:
        """Why nothing is foretold; empty where something is."""
        if self.ahead:
            return ""
        return f"A forecast needs {LEAST_DAYS} complete days of spend; there are {self.complete_days}."


def month(spend: pl.DataFrame, today: date) -> Month | None:
    """The month of `today`; None where no cost is known in it.

    Parameters
    ----------
    spend : pl.DataFrame
        ``queries/spend_by_day.sql``.
    today : date
        The day under way, UTC: it is spent, and not complete.
    """
    first = today.replace(day=1)
    own = spend.filter(pl.col("date") >= first)
    if own.is_empty() or own["spent_usd"].is_null().all():
        return None
    begin: date = spend["date"][0]
    calendar = pl.DataFrame({"date": pl.date_range(begin, today, eager=True)}).join(
        spend, on="date", how="left", maintain_order="left"
    )
    values = calendar["spent_usd"].fill_null(0.0).to_numpy().astype(np.float64)
    start = max((first - begin).days, 0)
    days = calendar["date"].to_list()[start:]
    running = np.cumsum(values[start:])
    last = first.replace(day=monthrange(first.year, first.month)[1])
    ahead = [today + timedelta(days=number) for number in range((last - today).days + 1)]
    complete, weekday = values[:-1], begin.weekday()
    before = float(values[start:-1].sum())
    foretold = [forecast(complete, weekday, number + 1) for number in range(len(ahead))]
    known = [each for each in foretold if each is not None]
    runs = own["runs"].sum()
    # The day under way is forecast too; what it has cost so far is the least it can cost.
    least = float(running[-1])
    return Month(
        first=first,
        today=today,
        last=last,
        days=tuple(days),
        spent=tuple(float(value) for value in running),
        ahead=tuple(ahead) if known else (),
        expected=tuple(max(before + each.total, least) for each in known),
        low=tuple(max(before + each.low, least) for each in known),
        high=tuple(max(before + each.high, least) for each in known),
        judged=backtest(complete, weekday),
        coverage_ratio=float(own["costed_runs"].sum()) / float(runs) if runs else None,
        complete_days=len(complete),
    )


def standing(row: Mapping[str, Any]) -> tuple[str, str]:
    """State of a budget in words, and its tone.

    Parameters
    ----------
    row : mapping
        A row of ``budgets_monthly``.

    Examples
    --------
    >>> standing({"spent_usd": 120.0, "budget_usd": 100.0})
    ('Over budget', 'bad')
    >>> standing({"spent_usd": 50.0, "budget_usd": 100.0, "landing_low_usd": 101.0, "landing_high_usd": 160.0})
    ('Will run over', 'bad')
    """
    spent, budget = row["spent_usd"], row["budget_usd"]
    if spent is None:
        return "Cost not known", "warn"
    if spent > budget:
        return "Over budget", "bad"
    low, high = row.get("landing_low_usd"), row.get("landing_high_usd")
    if low is None or high is None:
        return "Within so far", "flat"
    if low > budget:
        return "Will run over", "bad"
    if high > budget:
        return "May run over", "warn"
    return "Within budget", "good"

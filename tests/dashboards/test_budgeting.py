"""The month's end: the same landing as the command's, unknown where nothing is known, and a state that follows from both."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from dashboards.budgeting import month, standing
from dashboards.figures.budget import fan
from warehouse.economics.budgets import status


def days(count: int, *, first: date = date(2026, 7, 20), seed: int = 3) -> pl.DataFrame:
    spent = np.random.default_rng(seed).gamma(20, 2, count)
    dates = [first + timedelta(days=number) for number in range(count)]
    return pl.DataFrame({"date": dates, "runs": 10, "costed_runs": 9, "spent_usd": spent})


def test_the_last_day_of_the_fan_is_the_landing_of_the_budget() -> None:
    spend = days(30)
    today = spend["date"][-1]
    found = month(spend, today)
    theirs = status(spend["spent_usd"].to_numpy(), spend["date"][0], date(2026, 8, 1), 1000.0, today)
    assert found is not None
    assert (found.expected[-1], found.low[-1], found.high[-1]) == (theirs.landing, theirs.low, theirs.high)
    assert found.spent[-1] == pytest.approx(theirs.spent)
    assert found.ahead[0] == today and found.ahead[-1] == date(2026, 8, 31)
    assert found.judged == theirs.judged
    assert found.coverage_ratio == pytest.approx(0.9)


def test_the_fan_opens_towards_the_end() -> None:
    found = month(days(30), date(2026, 8, 18))
    assert found is not None
    widths = np.subtract(found.high, found.low)
    assert np.all(np.diff(widths) >= 0) and widths[-1] > widths[0] > 0
    band: Any = fan(found, 900.0).data[0]
    assert max(band["y"]) == found.high[-1]


def test_a_day_without_a_run_is_a_day_without_spend() -> None:
    spend = days(30)
    gap = month(spend.filter(pl.col("date") != date(2026, 8, 4)), spend["date"][-1])
    whole = month(spend.with_columns(spent_usd=pl.when(pl.col("date") == date(2026, 8, 4)).then(0.0).otherwise("spent_usd")),
                  spend["date"][-1])  # fmt: skip
    assert gap is not None and whole is not None
    assert gap.expected == whole.expected


def test_too_few_days_foretell_nothing_and_no_cost_is_no_month() -> None:
    few = month(days(4, first=date(2026, 8, 1)), date(2026, 8, 4))
    assert few is not None and not few.ahead
    assert "needs 5 complete days" in few.lacks
    unknown = days(4).with_columns(spent_usd=pl.lit(None, pl.Float64))
    assert month(unknown, unknown["date"][-1]) is None


@pytest.mark.parametrize(
    ("spent", "low", "high", "state"),
    [
        (120.0, 120.0, 180.0, "Over budget"),
        (80.0, 101.0, 140.0, "Will run over"),
        (80.0, 95.0, 140.0, "May run over"),
        (40.0, 60.0, 90.0, "Within budget"),
        (40.0, None, None, "Within so far"),
        (None, None, None, "Cost not known"),
    ],
)
def test_the_state_of_a_budget(spent: float | None, low: float | None, high: float | None, state: str) -> None:
    row = {"spent_usd": spent, "budget_usd": 100.0, "landing_low_usd": low, "landing_high_usd": high}
    assert standing(row)[0] == state

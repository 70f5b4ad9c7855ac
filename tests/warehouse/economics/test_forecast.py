"""Forecasts of a month's spend: exact where there is nothing to guess, and right as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from warehouse.economics.forecast import COVERAGE, LEAST_DAYS, backtest, forecast

WEEK = np.array([1.2, 1.15, 1.1, 1.1, 1.05, 0.7, 0.7])


def daily(rng: np.random.Generator, days: int, first: int, lean: float, spread: float = 0.15) -> NDArray[np.float64]:
    """Spend with a weekday's pattern, whose deviations lean on the day before."""
    noise = np.zeros(days)
    for day in range(1, days):
        noise[day] = lean * noise[day - 1] + spread * np.sqrt(1 - lean**2) * rng.normal()
    return 100 * WEEK[(first + np.arange(days)) % 7] * np.exp(noise)


@pytest.mark.parametrize("lean", [0.0, 0.5])
@pytest.mark.parametrize("known", [7, 21, 60])
def test_the_interval_holds_about_as_often_as_it_says(known: int, lean: float) -> None:
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(300):
        first = int(rng.integers(7))
        days = daily(rng, known + 15, first, lean)
        made = forecast(days[:known], first, 15)
        assert made is not None
        held += made.low <= days[known:].sum() <= made.high
    assert held / 300 >= COVERAGE - 0.06


def test_a_week_s_pattern_is_used_once_two_weeks_are_known() -> None:
    days = 100 * WEEK[np.arange(28) % 7]
    weekend = forecast(days[:26], 0, 2)  # ends on a Friday
    assert weekend is not None
    assert weekend.total == pytest.approx(140, rel=0.15), "two days of 70, not two of 100"


@given(st.lists(st.floats(0, 1e9), min_size=0, max_size=60), st.integers(0, 6), st.integers(0, 31))
def test_any_spend_gives_an_ordered_interval_or_nothing(spend: list[float], first: int, ahead: int) -> None:
    made = forecast(np.array(spend, np.float64), first, ahead)
    assert (made is None) == (len(spend) < LEAST_DAYS)
    if made is not None:
        assert 0 <= made.low <= made.total <= made.high < np.inf


def test_past_forecasts_are_judged_by_what_was_spent() -> None:
    assert backtest(np.full(11, 5.0), 0) is None, "no week has passed yet that was forecast"
    steady = backtest(np.full(20, 5.0), 0)
    assert steady is not None and steady.error == pytest.approx(0, abs=1e-12) and steady.forecasts == 9
    doubled = backtest(np.concatenate([np.full(20, 5.0), np.full(20, 10.0)]), 0)
    assert doubled is not None and doubled.error > 0.1 and doubled.covered < 1
    assert backtest(np.zeros(30), 0) is None

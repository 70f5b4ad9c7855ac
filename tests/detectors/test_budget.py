"""Thresholds follow the volume of the fleet, in event time, and no broken clock can lower them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Monitor, MonitorSettings
from detectors.kernels.budget import LAYOUT, BudgetState, fleet_log_thresholds
from detectors.state import blank
from tests.detectors.conftest import Frame


def thresholds(days: list[int] | np.ndarray, budget: float = 0.1, start: float = 7000.0) -> np.ndarray:
    return np.exp(fleet_log_thresholds(BudgetState(**blank(LAYOUT, 1)), np.asarray(days, np.int64), budget, start)[0])


def test_the_start_value_holds_until_two_days_are_complete() -> None:
    found = thresholds([100] * 10 + [101] * 10 + [102] * 10)
    np.testing.assert_allclose(found[:20], 70_000)
    np.testing.assert_allclose(found[20:], 7 * 10 / 0.1)


def test_a_surge_counts_on_the_day_itself() -> None:
    assert thresholds([100] * 5000)[-1] == pytest.approx(7 * 5000 / 0.1)


def test_a_quiet_day_does_not_lower_it_within_the_week() -> None:
    days = np.repeat(np.arange(100, 112), [50, 1000, *[50] * 10])
    found = thresholds(days)
    at = {day: found[np.flatnonzero(days == day)[0]] for day in range(100, 112)}
    assert at[102] == at[108] == pytest.approx(7 * 1000 / 0.1)
    assert at[109] == pytest.approx(7 * 50 / 0.1)


def test_a_broken_clock_lowers_nothing() -> None:
    days = np.repeat(np.arange(100, 108), 1000)
    broken = days.copy()
    broken[2500::37] = 47_000
    broken[2510::41] = 0
    assert (thresholds(broken)[2500:] >= thresholds(days)[2500:] - 1e-6).all()


@settings(deadline=None)
@given(st.lists(st.integers(-(10**6), 10**6), max_size=60))
def test_any_days_give_finite_thresholds(days: list[int]) -> None:
    assert np.isfinite(thresholds(days)).all()


def test_the_fleet_counts_not_the_stream(frame: Frame) -> None:
    """Ten streams share one budget, nine tenths of it for drift: the threshold of each is that of their common volume."""
    import polars as pl

    parts = [frame(np.arange(800.0) % 7, workflow=f"w{number}", seconds=300) for number in range(10)]
    monitor = Monitor(MonitorSettings(alarm_budget_per_week=0.5))
    monitor.update(pl.concat(parts).sort("at", maintain_order=True))
    assert monitor.streams()["threshold"].max() == pytest.approx(math.log(7 * 2880 / (0.9 * 0.5)))

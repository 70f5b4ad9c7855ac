"""A month's budget: spent, rungs, burn rate, landing."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from warehouse.economics.budgets import status

SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


def test_a_month_under_way_lands_where_its_days_lead() -> None:
    found = status(np.full(11, 10.0), SEPTEMBER, SEPTEMBER, 200.0, date(2026, 9, 11))
    assert (found.spent, found.used) == (110.0, 0.55)
    assert found.passed == {0.5: date(2026, 9, 10)}
    assert found.burn == {1: pytest.approx(1.5), 7: pytest.approx(1.5)}
    assert found.landing == pytest.approx(300) and found.low == found.high == pytest.approx(300)


def test_the_day_under_way_is_spent_but_not_taken_for_a_whole_day() -> None:
    days = np.array([*[10.0] * 10, 1.0])
    found = status(days, SEPTEMBER, SEPTEMBER, 200.0, date(2026, 9, 11))
    assert found.spent == 101 and found.landing == pytest.approx(300) and found.burn[1] == pytest.approx(1.5)


def test_what_today_has_cost_is_the_least_that_the_month_lands_at() -> None:
    days = np.array([*[1.0] * 29, 500.0])
    found = status(days, SEPTEMBER, SEPTEMBER, 200.0, date(2026, 9, 30))
    assert found.spent == 529 and found.landing == found.low == 529
    assert found.passed == dict.fromkeys((0.5, 0.8, 1.0), date(2026, 9, 30))


def test_a_month_that_is_over_landed_at_what_it_cost() -> None:
    days = np.concatenate([np.full(30, 10.0), np.full(5, 99.0)])
    found = status(days, SEPTEMBER, SEPTEMBER, 250.0, date(2026, 10, 5))
    assert (found.spent, found.landing, found.low, found.high) == (300, 300, 300, 300)
    assert found.burn[7] == pytest.approx(1.2), "October's days are not September's"
    assert status(days, SEPTEMBER, OCTOBER, 250.0, date(2026, 10, 5)).spent == 5 * 99


def test_with_few_days_nothing_is_foretold_and_with_no_budget_nothing_is_used() -> None:
    found = status(np.full(4, 10.0), SEPTEMBER, SEPTEMBER, 0.0, date(2026, 9, 4))
    assert found.spent == 40 and found.used is None and found.landing is None and found.passed == {}
    assert found.burn == {1: None, 7: None} and found.judged is None


def test_spend_that_began_in_the_middle_of_the_month_counts_from_there() -> None:
    found = status(np.full(10, 3.0), date(2026, 9, 15), SEPTEMBER, 20.0, date(2026, 9, 24))
    assert found.spent == 30 and found.passed[0.5] == date(2026, 9, 18) and found.passed[1.0] == date(2026, 9, 21)

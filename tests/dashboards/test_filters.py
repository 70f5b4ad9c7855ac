"""The address says what is shown; the period says which runs, and what they are compared with."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.filters import PERIODS, Filters, default_period, window

WEEK = (datetime(2026, 3, 2, 0, 5), datetime(2026, 3, 8, 23, 50))
NAMES = st.text(min_size=1, max_size=80).filter(lambda name: name.strip() and "\x00" not in name)


@given(
    st.none() | NAMES.filter(lambda name: name.isprintable()),
    st.none() | NAMES.filter(lambda name: name.isprintable()),
    st.sampled_from([None, *PERIODS]),
    st.none() | NAMES.filter(lambda name: name.isprintable()),
)
def test_filters_survive_the_address(
    workflow: str | None, environment: str | None, period: str | None, release: str | None
) -> None:
    filters = Filters(workflow, environment, period, before=release, after="2")
    assert Filters.parse(filters.search()) == filters


@pytest.mark.parametrize("search", [None, "", "?", "?period=yesterday", "?workflow=", "?" + "a=1&" * 99, "?x=%ff"])
def test_an_odd_address_filters_nothing(search: str | None) -> None:
    assert Filters.parse(search) == Filters()


def test_an_endless_name_in_the_address_is_ignored() -> None:
    assert Filters.parse("?workflow=" + "x" * 5000).workflow is None


def test_a_week_is_read_as_three_days_against_three() -> None:
    assert default_period(*WEEK) == "3d"
    shown = window(None, *WEEK)
    assert (shown.start, shown.previous_start) == (datetime(2026, 3, 6), datetime(2026, 3, 3))
    assert shown.is_comparable


def test_the_earlier_period_ends_at_the_same_hour() -> None:
    shown = window("1d", WEEK[0], datetime(2026, 3, 8, 9, 20))
    assert shown.end - shown.start == shown.previous_end - shown.previous_start == timedelta(hours=10)
    assert window("1d", WEEK[0], datetime(2026, 3, 8, 10)).end > datetime(2026, 3, 8, 10), "the newest run is shown too"


@pytest.mark.parametrize("period", ["7d", "30d", "90d", "all"])
def test_a_period_without_an_earlier_one_is_compared_with_nothing(period: str) -> None:
    shown = window(period, *WEEK)
    assert not shown.is_comparable
    assert shown.previous_start == shown.previous_end == shown.start


def test_one_day_of_data_is_shown_whole() -> None:
    shown = window(None, datetime(2026, 3, 8, 9), datetime(2026, 3, 8, 17))
    assert (shown.period, shown.is_comparable) == ("all", False)
    assert shown.start <= datetime(2026, 3, 8, 9) < shown.end


@given(
    st.sampled_from([None, *PERIODS]),
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=900)),
)
def test_windows_hold_the_newest_run_and_never_overlap(period: str | None, latest: datetime, reach: timedelta) -> None:
    shown = window(period, latest - reach, latest)
    assert shown.start <= latest < shown.end
    assert shown.previous_start <= shown.previous_end <= shown.start
    assert shown.bucket > timedelta(0)
    assert (shown.end - shown.previous_start) / shown.bucket < 700


def test_a_name_too_long_for_an_address_is_left_out_of_links() -> None:
    assert Filters(workflow="x" * 1_000_000, period="7d").search() == "?period=7d"
    longest = Filters(workflow="é" * 512)
    assert Filters.parse(longest.search()) == longest

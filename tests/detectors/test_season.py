"""Continuous streams that follow the hour and the weekday: quiet without change, and no slower to see one."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime

import numpy as np
import polars as pl
import pytest

from detectors import Monitor
from detectors.banks import ContinuousBank
from detectors.kernels import continuous

from .conftest import Frame

DAYS = 288  # observations a day
EVERY = 300_000_000
MONDAY = int(datetime.fromisoformat("2026-01-05T00:00:00+00:00").timestamp()) * 1_000_000
Values = np.ndarray


def bank_and_alarms(values: Values, log_threshold: float, every: int = EVERY) -> tuple[ContinuousBank, Values]:
    """Watched from a Monday on; index of the alarm of each row of `values`, -1 for none."""
    streams, n = values.shape
    bank = ContinuousBank(200, False)
    bank.ensure(streams)
    rows = {
        "slot": np.repeat(np.arange(streams), n),
        "value": values.ravel(),
        "at": np.tile(MONDAY + every * np.arange(n), streams),
        "log_threshold": np.full(values.size, log_threshold),
    }
    found = np.full(streams, -1)
    for slot, index in bank.observe(pl.DataFrame(rows)):
        found[slot] = index % n
    return bank, found


def seasonal(
    rng: np.random.Generator, streams: int, days: int, daily: float = 0.5, weekend: float = 0.5, a_day: int = DAYS
) -> Values:
    """A wave a day, another level at the weekend, and noise of half a log unit."""
    at = np.arange(days * a_day)
    wave = daily * np.sin(2 * np.pi * (at / a_day + rng.random((streams, 1))))
    level = wave - weekend * ((at // a_day) % 7 >= 5)
    return np.exp(level + 0.5 * rng.normal(size=(streams, len(at))))


def office_hours(rng: np.random.Generator, streams: int, days: int) -> Values:
    hour, day = (np.arange(days * DAYS) // 12) % 24, np.arange(days * DAYS) // DAYS
    open_now = (hour >= 8) & (hour < 18) & (day % 7 < 5)
    return np.exp(0.8 * open_now + 0.5 * rng.normal(size=(streams, days * DAYS)))


def correlated(rng: np.random.Generator, streams: int, days: int) -> Values:
    """The same season, with noise that leans on its neighbour."""
    n = days * DAYS
    noise = rng.normal(size=(streams, n))
    for i in range(1, n):
        noise[:, i] = 0.3 * noise[:, i - 1] + math.sqrt(1 - 0.09) * noise[:, i]
    at = np.arange(n)
    return np.exp(0.5 * np.sin(2 * np.pi * at / DAYS) - 0.5 * ((at // DAYS) % 7 >= 5) + 0.5 * noise)


# At ln 10^4 an alarm in 10,000 observations is allowed: 30 streams of 28 days may give 24 or so; raw, each gives one on day 2.
@pytest.mark.parametrize(
    "draw",
    [
        pytest.param(seasonal, id="day and weekend"),
        pytest.param(lambda rng, streams, days: seasonal(rng, streams, days, weekend=0), id="day"),
        pytest.param(lambda rng, streams, days: seasonal(rng, streams, days, 0.15, 0.1), id="weak"),
        pytest.param(lambda rng, streams, days: seasonal(rng, streams, days, 1, 1), id="strong"),
        pytest.param(lambda rng, streams, days: seasonal(rng, streams, days, 0, 0.5), id="weekend"),
        pytest.param(office_hours, id="office hours"),
        pytest.param(correlated, id="correlated"),
    ],
)
def test_a_season_is_no_drift(
    draw: Callable[[np.random.Generator, int, int], Values], rng: np.random.Generator
) -> None:
    values = draw(rng, 30, 28)
    _, found = bank_and_alarms(values, math.log(1e5))
    watched = np.where(found >= 0, found, values.shape[1]).sum() - 30 * DAYS
    allowed = watched / 1e5
    assert (found >= 0).sum() <= allowed + 3 * math.sqrt(allowed)


@pytest.mark.parametrize(("shift", "longest"), [(0.25, 140), (0.5, 45)])
def test_a_change_on_top_of_a_season_is_found_as_soon_as_without(
    shift: float, longest: int, rng: np.random.Generator
) -> None:
    change = 17 * DAYS + 100
    values = seasonal(rng, 40, 24)
    values[:, change:] *= math.exp(shift)
    _, found = bank_and_alarms(values, math.log(1e5))
    late = found[(found < 0) | (found >= change)]
    assert len(late) >= 37
    assert np.median(np.where(late < 0, 10**6, late - change)) <= longest


def test_streams_without_a_season_give_their_row_back_and_seasonal_ones_keep_it(rng: np.random.Generator) -> None:
    values = np.concatenate([seasonal(rng, 20, 31), np.exp(rng.normal(size=(20, 31 * DAYS)))])
    bank, found = bank_and_alarms(values, 50.0)
    assert (found < 0).all()
    held = bank.arrays["season_row"][:40] > 0
    assert held[:20].all() and held[20:].sum() == 0
    assert (bank.arrays["season"][20:40] == continuous.WITHOUT_SEASON).all()
    assert len(bank.free_seasons) + held.sum() == len(bank.seasons)


def test_the_first_day_and_the_first_saturday_are_only_learned(frame: Frame, rng: np.random.Generator) -> None:
    monday = np.exp(0.1 * rng.normal(size=250)) * np.r_[np.ones(200), np.full(50, 20.0)]
    assert Monitor().update(frame(monday)).height == 0, "within a day nothing tells a change from a daily cycle"
    week = np.exp(0.1 * rng.normal(size=6 * DAYS))
    saturday = np.repeat(np.arange(6) == 5, DAYS)
    assert Monitor().update(frame(np.where(saturday, 3 * week, week))).height == 0
    thursday = np.repeat(np.arange(6) == 3, DAYS)
    (signal,) = Monitor().update(frame(np.where(thursday, 3 * week, week))).to_dicts()
    assert signal["at"].isoformat() < "2026-01-08T01:00:00"


def test_a_busy_first_day_keeps_a_sample_of_itself(rng: np.random.Generator) -> None:
    values = seasonal(rng, 5, 4, a_day=8640)
    bank, _ = bank_and_alarms(values[:, :8600], 50.0, EVERY * DAYS // 8640)
    assert (bank.arrays["phase"][:5] == continuous.WARMING).all()
    assert (bank.arrays["stride"][:5] == 32).all() and bank.snapshot()["pool"].shape == (5 * 2 * 269,)
    bank, found = bank_and_alarms(values, math.log(3e6), EVERY * DAYS // 8640)
    assert (bank.arrays["phase"][:5] == continuous.WATCHING).all() and (found < 0).all()


def test_a_season_survives_being_saved_wherever_that_is(frame: Frame, rng: np.random.Generator) -> None:
    values = seasonal(rng, 2, 12)
    values[1, 9 * DAYS :] *= 2
    both = [frame(row, workflow=f"w{number}") for number, row in enumerate(values)]
    rows = pl.concat(both).sort("at", maintain_order=True)
    whole = Monitor()
    signals = whole.update(rows)
    assert signals["workflow"].to_list() == ["w1"]
    for cut in (100, 2 * 287, 2 * DAYS + 5, 3001, 2 * 9 * DAYS):
        first = Monitor()
        before = first.update(rows[:cut])
        second = Monitor.decode(first.encode())
        assert pl.concat([before, second.update(rows[cut:])]).equals(signals), cut
        assert second.encode() == whole.encode(), cut


def test_clocks_that_jump_raise_nothing(frame: Frame, rng: np.random.Generator) -> None:
    rows = frame(np.exp(rng.normal(size=4000)))
    jumps = pl.Series(rng.choice([0, 0, 0, -40, 3, 900], size=4000)) * 86_400_000_000
    signals = Monitor().update(rows.with_columns(pl.col("at") + jumps.cast(pl.Duration("us"))))
    assert signals.height == 0

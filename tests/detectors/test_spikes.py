"""Spikes: told once each, at the promised rate, and never as a drift."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import Monitor
from detectors.kernels.spike import LAYOUT, observe_spikes
from detectors.state import records
from tests.detectors.conftest import Frame

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def spikes(values: np.ndarray, log_threshold: float) -> int:
    """Number of spikes in streams (rows) of values, judged from the 200th on."""
    streams, n = values.shape
    slots = np.tile(np.arange(streams), n)
    times, thresholds = np.zeros(slots.size, np.int64), np.full(slots.size, log_threshold)
    flat = np.ascontiguousarray(values.T, dtype=float).ravel()
    rows, before = observe_spikes(records(LAYOUT, streams), slots, flat, times, thresholds, 200, 0)
    assert len(rows) == len(before)
    return len(rows)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 3.0])
def test_power_law_tails_give_as_many_as_are_allowed(exponent: float, rng: np.random.Generator) -> None:
    values = rng.random((200, 4000)) ** -exponent
    allowed = 200 * 3800 / 1e3
    assert 0.8 * allowed < spikes(values, math.log(1e3)) < 1.25 * allowed


LIGHT: dict[str, Draw] = {
    "log-normal, sd 2": lambda rng, size: np.exp(2 * rng.normal(size=size)),
    "exponential": lambda rng, size: rng.exponential(size=size),
    "Poisson 5": lambda rng, size: rng.poisson(5, size=size),
    "mostly zero": lambda rng, size: rng.poisson(0.1, size=size),
    "normal, half of it negative": lambda rng, size: rng.normal(size=size),
    "1 % at e³ to e⁵ times": lambda rng, size: np.exp(
        rng.normal(size=size) + (rng.random(size) < 0.01) * rng.uniform(3, 5, size)
    ),
}


@pytest.mark.parametrize("draw", LIGHT.values(), ids=list(LIGHT))
def test_lighter_tails_give_fewer(draw: Draw, rng: np.random.Generator) -> None:
    assert spikes(draw(rng, (200, 4000)), math.log(1e6)) <= 3  # 0.76 allowed


def test_a_spike_is_told_with_its_run_and_the_stream_goes_on(frame: Frame, rng: np.random.Generator) -> None:
    values = np.exp(0.5 * rng.normal(size=1200))
    values[700] = 800.0
    values[900:] *= 4
    rows = frame(values)
    signals = Monitor().update(rows)
    assert signals["kind"].to_list() == ["spike", "continuous"]
    spike = signals.row(0, named=True)
    assert spike["at"] == spike["onset_at"] == rows["at"][700]
    assert spike["after_value"] == 800.0 and spike["effect"] == pytest.approx(800.0 - spike["before_value"])
    assert spike["before_value"] == pytest.approx(values[:700].mean())
    assert (spike["n_before"], spike["n_after"]) == (700, 1)
    assert spike["log_e"] > spike["threshold"] > 13
    assert spike["detector"] == "TailSpike" and spike["unit"] == "usd"
    tail = json.loads(spike["detail"])
    assert np.quantile(values[:288], 0.9) < tail["tail_begins"] < values[:289].max() and tail["mean_log_excess"] > 0.05


def test_the_next_one_must_be_greater_where_one_has_been(frame: Frame, rng: np.random.Generator) -> None:
    values = np.exp(0.5 * rng.normal(size=1200))
    values[900:1100:10] = 400.0
    spiked = Monitor().update(frame(values)).filter(kind="spike")
    assert 1 <= spiked.height <= 10, "of twenty"


def test_constant_values_and_the_first_day_give_none(frame: Frame, rng: np.random.Generator) -> None:
    constant = np.full(1000, 5.0)
    constant[700] = 6.0
    assert Monitor().update(frame(constant)).height == 0
    early = np.exp(0.1 * rng.normal(size=270))
    early[250] = 500.0
    assert Monitor().update(frame(early)).height == 0, "250 values in 21 hours"


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 1500), max_size=6), restart=st.booleans(), seed=st.integers(0, 99))
def test_cuts_and_restarts_change_nothing(cuts: list[int], restart: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.exp(0.3 * rng.normal(size=1500)) * np.where(rng.random(1500) < 0.003, 300.0, 1.0)
    rows = pl.DataFrame(
        {
            "at": pl.Series(np.arange(1500) * 300_000_000).cast(pl.Datetime("us")),
            **dict.fromkeys(("workflow", "family", "metric", "dimension"), "x"),
            "kind": "continuous",
            "value": values,
            "category": pl.Series([None] * 1500, dtype=pl.String),
            "run_id": [str(number) for number in range(1500)],
        }
    )
    whole = Monitor()
    expected = whole.update(rows)
    monitor, parts = Monitor(), []
    bounds = [0, *sorted(cuts), 1500]
    for start, end in itertools.pairwise(bounds):
        parts.append(monitor.update(rows[start:end]))
        if restart:
            monitor = Monitor.decode(monitor.encode())
    assert pl.concat(parts).equals(expected)
    assert monitor.encode() == whole.encode()

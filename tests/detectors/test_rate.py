"""Rates: rare ones too, and observations of one run that depend on each other."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detectors.kernels import rate
from detectors.state import records


def alarms(values: np.ndarray, log_threshold: float, per_run: int = 1) -> np.ndarray:
    streams, n = values.shape
    state = records(rate.LAYOUT, streams)
    slots, rows = rate.observe_rate(
        state,
        np.zeros((streams, 0), np.float32),
        np.repeat(np.arange(streams), n),
        values.astype(np.float64).ravel(),
        np.tile(np.arange(n) // per_run + 1, streams).astype(np.uint64),
        np.tile(np.arange(n), streams),
        np.full(values.size, log_threshold),
        200,
    )
    found = np.full(streams, -1)
    found[slots] = rows % n
    return found


# Baseline (change at 2,000, average run length 100,000): 1 → 5 % 202, 5 → 10 % 403.
@pytest.mark.parametrize(
    ("before", "after", "longest"),
    [(0.01, 0.05, 404), (0.05, 0.10, 806), (0.02, 0.12, 200), (0.90, 0.70, 200), (0.20, 0.02, 200), (0.0, 0.05, 200)],
)
def test_a_change_is_found_near_the_baseline(
    before: float, after: float, longest: int, rng: np.random.Generator
) -> None:
    values = rng.random((60, 4000)) < np.where(np.arange(4000) < 2000, before, after)
    found = alarms(values, math.log(1e5))
    delays = found[found >= 2000] - 2000
    assert len(delays) >= 54
    assert np.median(delays) <= longest


@pytest.mark.parametrize("share", [0.0, 0.005, 0.01, 0.05, 0.5, 1.0])
def test_a_stationary_rate_alarms_no_oftener_than_stated(share: float, rng: np.random.Generator) -> None:
    """Threshold 10,000 allows 28 alarms in 100 streams of 2,800 watched observations."""
    assert (alarms(rng.random((100, 3000)) < share, math.log(1e4)) >= 0).sum() <= 28


def test_runs_whose_observations_agree_raise_no_more_alarms(rng: np.random.Generator) -> None:
    values = np.repeat(rng.random((100, 750)) < 0.05, 4, axis=1)
    assert (alarms(values, math.log(1e4), per_run=4) >= 0).sum() <= 7
    assert (alarms(values, math.log(1e4), per_run=1) >= 0).sum() > 28, "the test shows nothing if this is quiet too"

"""Continuous streams: found about as fast as the measured baseline says, quiet at the stated rate."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from detectors.kernels import continuous, normal
from detectors.kernels.continuous_state import LAYOUT, SEASON_LAYOUT
from detectors.state import records

EVERY = 300_000_000  # microseconds from one observation to the next
Sample = Callable[[np.random.Generator, int, int], np.ndarray]


def alarms(values: np.ndarray, log_threshold: float, warm_up: int = 200) -> tuple[Any, np.ndarray]:
    """Index of the alarm of each row of `values`, -1 for none."""
    streams, n = values.shape
    state, seasons = records(LAYOUT, streams), records(SEASON_LAYOUT, streams)
    state.buffer_row[:] = state.season_row[:] = np.arange(streams) + 1
    state.season[:] = continuous.ON_TRIAL
    slots, rows = continuous.observe_continuous(
        state,
        seasons,
        np.zeros((streams, 2, warm_up)),
        np.zeros((streams, 0), np.float32),
        np.repeat(np.arange(streams), n),
        values.astype(np.float64).ravel(),
        np.tile(np.arange(n) * EVERY, streams),
        np.full(values.size, log_threshold),
        warm_up,
        0,
    )
    found = np.full(streams, -1)
    found[slots] = rows % n
    return state, found


def shifted(factor: float, log_sd: float) -> Sample:
    def sample(rng: np.random.Generator, streams: int, n: int) -> np.ndarray:
        values = np.exp(log_sd * rng.normal(size=(streams, n)))
        values[:, 1000:] *= factor
        return values

    return sample


# Baseline (change at 2,000, average run length 100,000): +0.5 sd 79, +1 sd 23, cost +50 % 108. Here the reference is
# half as long, and the bound twice the figure.
@pytest.mark.parametrize(
    ("sample", "longest"),
    [
        pytest.param(shifted(math.exp(0.5), 1.0), 160, id="half a standard deviation"),
        pytest.param(shifted(math.exp(1.0), 1.0), 46, id="one standard deviation"),
        pytest.param(shifted(math.exp(-1.0), 1.0), 46, id="one standard deviation down"),
        pytest.param(shifted(1.5, 1.0), 216, id="cost up by half"),
    ],
)
def test_a_shift_is_found_near_the_baseline(sample: Sample, longest: int, rng: np.random.Generator) -> None:
    _, found = alarms(sample(rng, 60, 2500), math.log(1e5))
    delays = found[found >= 1000] - 1000
    assert len(delays) >= 54
    assert np.median(delays) <= longest


@pytest.mark.parametrize(
    "law",
    [
        pytest.param(lambda rng, shape: rng.normal(size=shape), id="normal"),
        pytest.param(lambda rng, shape: np.exp(rng.normal(size=shape)), id="lognormal"),
        pytest.param(lambda rng, shape: rng.pareto(1.2, size=shape), id="infinite variance"),
        pytest.param(lambda rng, shape: rng.poisson(3, size=shape), id="counts with ties"),
        pytest.param(lambda rng, shape: np.where(rng.random(shape) < 0.5, 0.0, rng.random(shape)), id="half zeros"),
    ],
)
def test_stationary_values_alarm_no_oftener_than_stated(
    law: Callable[[np.random.Generator, tuple[int, int]], np.ndarray], rng: np.random.Generator
) -> None:
    """Threshold 10,000 allows 2.8 alarms per 100 streams of 2,800 watched observations: 28; seen are about 13."""
    _, found = alarms(law(rng, (100, 3000)), math.log(1e4))
    assert (found >= 0).sum() <= 28


def test_small_shifts_have_the_greater_part_of_the_statistic() -> None:
    """With equal parts a fifth of a standard deviation took a median of 607 observations here, and a quarter was missed."""
    assert continuous.PARTS.sum() == pytest.approx(8.0)
    np.testing.assert_allclose(continuous.PARTS[:4] * normal.SHIFTS, continuous.PARTS[0] * normal.SHIFTS[0])
    _, found = alarms(shifted(math.exp(0.2), 1.0)(np.random.default_rng(1), 300, 3_000), math.log(1e5))
    delay = np.where(found < 0, np.inf, found - 999.0)[(found < 0) | (found >= 1_000)]
    assert np.median(delay) <= 560
    assert np.isfinite(delay).mean() > 0.78


@pytest.mark.parametrize("correlation", [0.3, 0.6])
def test_autocorrelation_raises_no_more_alarms(correlation: float, rng: np.random.Generator) -> None:
    values = rng.normal(size=(100, 3000))
    for step in range(1, values.shape[1]):
        values[:, step] = correlation * values[:, step - 1] + math.sqrt(1 - correlation**2) * values[:, step]
    _, found = alarms(values, math.log(1e4))
    assert (found >= 0).sum() <= 28


def test_spikes_raise_no_alarm(rng: np.random.Generator) -> None:
    values = np.exp(rng.normal(size=(50, 2000)))
    values *= np.where(rng.random(values.shape) < 0.01, np.exp(rng.uniform(3, 5, values.shape)), 1.0)
    _, found = alarms(values, math.log(3e6))
    assert (found < 0).all()


def test_the_onset_is_near_the_change(rng: np.random.Generator) -> None:
    state, found = alarms(shifted(math.e, 1.0)(rng, 60, 1500), math.log(3e6))
    tracker = np.argmax(state.cusum, axis=1)
    onset = state.onset_at[np.arange(60), tracker]
    assert (found >= 1000).sum() >= 58
    assert np.median(np.abs(onset / EVERY - 1000)) <= 5


def test_the_integral_is_that_of_the_clipped_normal_quantile() -> None:
    ranks = np.linspace(0, 1, 200_001)
    middles = np.clip(stats.norm.ppf((ranks[1:] + ranks[:-1]) / 2), -normal.CLIP, normal.CLIP)
    exact = np.concatenate([[0.0], np.cumsum(middles) / 200_000])
    ours = np.array([normal.clipped_integral(rank) for rank in ranks])
    np.testing.assert_allclose(ours, exact, rtol=0, atol=1.1e-7)
    assert ours[0] == ours[-1] == 0


@pytest.mark.parametrize("cells", [3, 7, 200])
def test_scores_of_equal_cells_make_e_values(cells: int) -> None:
    """Mean of exp(d z - log mgf) over equally likely cells is at most 1, whichever the cut: the bound needs no more."""
    edges = np.linspace(0, 1, cells + 1)
    scores = np.array([normal.cell_score(low, high) for low, high in itertools.pairwise(edges)])
    assert abs(scores.mean()) < 1e-12
    assert np.abs(scores).max() <= normal.CLIP
    for shift, log_mgf in zip(normal.SHIFTS, normal.LOG_MGF, strict=True):
        for sign in (1, -1):
            assert np.exp(sign * shift * scores - log_mgf).mean() <= 1 + 1e-12


@pytest.mark.parametrize("correlation", [0.0, 0.1])
@pytest.mark.parametrize("shares", [[0.5, 0.25, 0.125, 0.125], [0.004, 0.02, 0.3, 0.676], [1 / 300] * 300])
def test_likelihood_ratios_of_cells_are_e_values(shares: list[float], correlation: float) -> None:
    """Their mean under the law that they are measured against is 1, whatever the cut: ties cost nothing."""
    cuts = np.concatenate([[0.0], np.cumsum(shares)])
    width, last = math.sqrt(1 - correlation**2), 1.5
    bounds = [(normal.quantile(min(cut, 1.0)) - correlation * last) / width for cut in cuts]
    bounds = np.clip(bounds, -normal.FARTHEST, normal.FARTHEST)
    ratios = np.empty((len(shares), 8))
    for row, (bottom, top) in enumerate(itertools.pairwise(bounds)):
        normal.cell_ratios(bottom, top, ratios[row])
    np.testing.assert_allclose(np.diff(stats.norm.cdf(bounds)) @ ratios, 1.0, atol=1e-3)
    up = np.diff(stats.norm.cdf(bounds - normal.SHIFTS[2])) / np.diff(stats.norm.cdf(bounds))
    np.testing.assert_allclose(ratios[:, 2], up, rtol=1e-3)


def test_quantile_and_logarithm_are_near_enough() -> None:
    ranks = np.concatenate([np.linspace(1e-5, 1 - 1e-5, 2001), [1e-12, 1e-30]])
    ours = [normal.quantile(rank) for rank in ranks]
    np.testing.assert_allclose(ours, stats.norm.ppf(ranks), rtol=1e-6, atol=1e-6)
    assert (normal.quantile(0.0), normal.quantile(1.0)) == (-normal.FARTHEST, normal.FARTHEST)
    ratios = np.geomspace(normal.LEAST, 1e4, 1001)
    logs = [normal.logarithm(int(bits)) for bits in ratios.view(np.int64)]
    np.testing.assert_allclose(logs, np.log(ratios), rtol=0, atol=2e-4)


def test_counts_with_heavy_ties_are_found_nearly_as_fast_as_their_likelihood_allows(rng: np.random.Generator) -> None:
    """Steps that are 1 half of the time (geometric), a fifth more of them: 0.0089 nats each, so 1,300 for 11.5 nats."""
    values = rng.geometric(0.5, size=(60, 6000)).astype(float)
    values[:, 3000:] = rng.geometric(1 / 2.4, size=(60, 3000))
    _, found = alarms(values, math.log(1e5))
    delays = found[found >= 3000] - 3000
    assert len(delays) >= 45
    assert np.median(delays) <= 1600


def test_values_beyond_all_seen_are_found(rng: np.random.Generator) -> None:
    """One value in twelve goes beyond the greatest so far (a limit that was lifted); the rest stays as it was."""
    values = rng.uniform(size=(60, 3000))
    values[:, 2000:] = np.where(rng.random((60, 1000)) < 1 / 12, 1.5, values[:, 2000:])
    _, found = alarms(values, math.log(1e5))
    delays = found[found >= 2000] - 2000
    assert len(delays) >= 57
    assert np.median(delays) <= 300


@pytest.mark.parametrize(
    "sample",
    [
        [5.0] * 50,
        [0.0] * 40 + [1.0] * 10,
        list(range(50)),
        [1e-320] * 25 + [1e150] * 25,
        [-1e150] * 25 + [1.0] * 25,
        [1.0, 1.0 + 1e-12] * 25,
    ],
)
def test_any_sample_is_cut_into_rising_cells_that_hold_it_all(sample: list[float]) -> None:
    edges = np.zeros(continuous.CELLS - 1, np.float32)
    weights = np.zeros(continuous.CELLS, np.float32)
    continuous.learn_cells(np.array(sample), edges, weights)
    assert weights.sum() == pytest.approx(len(sample) + 1)
    assert (np.diff(edges[np.isfinite(edges)]) > 0).all()
    for value in sample:
        assert weights[continuous.find_cell(edges, value)] >= 1

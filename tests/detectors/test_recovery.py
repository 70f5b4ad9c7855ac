"""A stream is back, and is not said to be while it stays away: what the derivation promises, by simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from detectors.recovery import SHORTEST, Numbers, Progress, ReturnTest, best_cut, return_test

Draw = Callable[[np.random.Generator, tuple[int, ...]], Numbers]


def runs_to_back(test: ReturnTest, shares: Numbers) -> Numbers:
    """Runs until each row is back; infinite where it is not within them."""
    scores = test.scores(shares)
    score, stretch = np.zeros(len(shares)), np.zeros(len(shares))
    found = np.full(len(shares), np.inf)
    for run in range(shares.shape[1]):
        score = np.minimum(score + scores[:, run], test.threshold)
        stretch = np.where(score > 0, stretch + 1, 0)
        score = np.maximum(score, 0)
        is_back = (score >= test.threshold) & (stretch >= SHORTEST)
        found = np.where(np.isinf(found) & is_back, run + 1, found)
    return found


def rate(share: float) -> Draw:
    return lambda rng, shape: (rng.random(shape) < share).astype(np.float64)


def alike_within_a_run(share: float) -> Draw:
    """Five calls a run, of which the last four mostly do what the first did."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> Numbers:
        own = rng.random((*shape, 5)) < share
        follows = rng.random((*shape, 5)) < 0.8
        return np.where(follows, own[..., :1], own).mean(axis=-1)

    return draw


@pytest.mark.parametrize("draw", [rate, alike_within_a_run])
@pytest.mark.parametrize(("before", "after"), [(0.02, 0.12), (0.3, 0.5), (0.9, 0.6)])
def test_the_mean_runs_to_a_false_return_are_what_the_threshold_says_or_more(
    draw: Callable[[float], Draw], before: float, after: float
) -> None:
    wanted = 200.0
    test = ReturnTest(before, after, math.log(wanted))
    found = runs_to_back(test, draw(after)(np.random.default_rng(5), (400, 2000)))
    # Those not back by the end count as if they were then, which makes the mean too small; 3 standard errors of an exponential.
    assert np.minimum(found, 2000).mean() >= wanted * (1 - 3 / math.sqrt(400))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (rate(0.02), rate(0.15)),
        (rate(0.3), rate(0.5)),
        (lambda rng, shape: rng.lognormal(0.0, 0.6, shape), lambda rng, shape: rng.lognormal(0.47, 0.6, shape)),
        (lambda rng, shape: rng.normal(0.0, 1.0, shape), lambda rng, shape: rng.normal(-0.7, 1.0, shape)),
        (lambda rng, shape: rng.pareto(1.2, shape), lambda rng, shape: 2 * rng.pareto(1.2, shape)),
    ],
)
def test_of_samples_too_a_stream_that_stays_is_rarely_back_and_one_that_returns_soon_is(
    before: Draw, after: Draw
) -> None:
    rng = np.random.default_rng(11)
    false, delays = [], []
    for _ in range(60):
        usual, since = before(rng, (1000,)), after(rng, (60,))
        cut = best_cut(usual, since)
        test = return_test((usual > cut).astype(float), (since > cut).astype(float))
        if test is None:
            continue
        stays, returns = after(rng, (1, 1000)), before(rng, (1, 1000))
        false.append(runs_to_back(test, (stays > cut).astype(float))[0])
        delays.append(runs_to_back(test, (returns > cut).astype(float))[0])
    assert len(false) >= 50, "nearly all tell the two apart"
    # With 1,000 runs on average to a false return, up to 63 % would be there by then.
    assert np.isfinite(false).mean() <= 0.25
    assert np.median(delays) <= 250
    assert min(delays) >= SHORTEST


def test_a_busy_stream_must_be_surer() -> None:
    rare, often = np.repeat([1.0, 0.0], [10, 490]), np.repeat([1.0, 0.0], [20, 80])
    slow, busy = return_test(rare, often, 100.0), return_test(rare, often, 1e6)
    assert slow is not None and busy is not None
    assert (round(math.exp(slow.threshold)), round(math.exp(busy.threshold))) == (1000, 4_000_000)


@pytest.mark.parametrize(("hits", "runs"), [(4, 4), (1, 50), (2, 100)])
def test_samples_too_few_or_too_much_alike_give_no_test(hits: int, runs: int) -> None:
    after = np.repeat([1.0, 0.0], [hits, runs - hits])
    assert return_test(np.repeat([1.0, 0.0], [10, 490]), after) is None


def test_a_return_holds_until_the_drift_is_as_likely_again() -> None:
    progress = Progress()
    for at in range(SHORTEST + 5):
        progress = progress.after(at, 1.0, 2.0, 7.0)
        assert progress.is_back == (at + 1 >= SHORTEST), "not before so many runs, though the score is there"
    assert (progress.score, progress.since, progress.total) == (7.0, 0, 2.0 * (SHORTEST + 5))
    lower = progress.after(40, -3.0, 2.0, 7.0)
    assert lower.is_back and lower.score == 4.0
    assert lower.after(41, -4.0, 2.0, 7.0) == Progress()

"""Mixes: diffuse moves, new categories, many rare ones, and runs that draw alike."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from detectors.kernels import mix
from detectors.kernels.mix_state import LAYOUT
from detectors.state import records

TEN = np.array([0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.03, 0.02, 0.01])


def draw(rng: np.random.Generator, shares: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.minimum(np.searchsorted(np.cumsum(shares / shares.sum()), rng.random(shape)), len(shares) - 1)


def alarms(codes: np.ndarray, log_threshold: float, per_run: int = 1) -> tuple[Any, np.ndarray]:
    streams, n = codes.shape
    state = records(LAYOUT, streams)
    slots, rows = mix.observe_mix(
        state,
        np.zeros((streams, 0), np.float32),
        np.repeat(np.arange(streams), n),
        codes.astype(np.int64).ravel(),
        np.tile(np.arange(n) // per_run + 1, streams).astype(np.uint64),
        np.tile(np.arange(n), streams),
        np.full(codes.size, log_threshold),
        200,
    )
    found = np.full(streams, -1)
    found[slots] = rows % n
    return state, found


# Baseline (ten tools, average run length 100,000): total variation 0.1 in 306, 0.2 in 103, 0.4 in 44.
@pytest.mark.parametrize(("distance", "longest"), [(0.1, 612), (0.2, 206), (0.4, 88)])
def test_a_moved_mix_is_found_near_the_baseline(distance: float, longest: int, rng: np.random.Generator) -> None:
    whole = 0.5 * np.abs(TEN - TEN[::-1]).sum()
    after = TEN + distance / whole * (TEN[::-1] - TEN)
    codes = np.concatenate([draw(rng, TEN, (60, 2000)), draw(rng, after, (60, 1500))], axis=1)
    _, found = alarms(codes, math.log(1e5))
    delays = found[found >= 2000] - 2000
    assert len(delays) >= 54
    assert np.median(delays) <= longest


def test_a_new_category_is_found(rng: np.random.Generator) -> None:
    codes = np.concatenate([draw(rng, TEN, (40, 1000)), draw(rng, TEN, (40, 600))], axis=1)
    codes[:, 1000:][rng.random((40, 600)) < 0.1] = -1
    _, found = alarms(codes, math.log(1e5))
    assert (found >= 1000).sum() >= 36
    assert np.median(found[found >= 1000] - 1000) <= 160


def test_a_version_that_replaces_the_only_one_is_found_within_ten_runs() -> None:
    codes = np.concatenate([np.zeros((1, 500)), np.full((1, 50), -1)], axis=1)
    _, found = alarms(codes, math.log(1.5e7))
    assert 500 < found[0] <= 510


@pytest.mark.parametrize(
    "shares",
    [
        pytest.param(np.ones(1), id="one"),
        pytest.param(np.array([0.995, 0.005]), id="one and a rare one"),
        pytest.param(np.array([0.7, 0.25, 0.05]), id="three"),
        pytest.param(TEN, id="ten"),
        pytest.param(1 / np.arange(1, 31), id="thirty, most of them rare"),
    ],
)
def test_a_stationary_mix_alarms_no_oftener_than_stated(shares: np.ndarray, rng: np.random.Generator) -> None:
    """Threshold 10,000 allows 28 alarms in 100 streams of 2,800 watched observations: 40 is two deviations on."""
    _, found = alarms(draw(rng, shares, (100, 3000)), math.log(1e4))
    assert (found >= 0).sum() <= 40


def test_runs_that_draw_alike_raise_no_more_alarms(rng: np.random.Generator) -> None:
    codes = np.repeat(draw(rng, TEN, (100, 600)), 5, axis=1)
    assert (alarms(codes, math.log(1e4), per_run=5)[1] >= 0).sum() <= 10
    assert (alarms(codes, math.log(1e4), per_run=1)[1] >= 0).sum() > 28, "the test shows nothing if this is quiet too"


@pytest.mark.parametrize(
    "shares", [pytest.param(1 / np.arange(1, 31), id="thirty"), pytest.param(np.ones(40), id="forty")]
)
def test_the_choice_of_buckets_is_no_drift(shares: np.ndarray, rng: np.random.Generator) -> None:
    """Threshold 300,000 allows 4 alarms in 400 streams of 2,800 watched observations: 8 is two deviations on."""
    assert (alarms(draw(rng, shares, (400, 3000)), math.log(3e5))[1] >= 0).sum() <= 8


def test_half_of_one_category_that_goes_to_another_is_found(rng: np.random.Generator) -> None:
    """Total variation 0.05, where windows of fixed lengths missed a fifth (oracle: 179)."""
    after = np.array([0.05, 0.15] + 8 * [0.1])
    codes = np.concatenate([draw(rng, np.ones(10), (60, 2000)), draw(rng, after, (60, 2000))], axis=1)
    _, found = alarms(codes, math.log(1e5))
    late = found[(found < 0) | (found >= 2000)]
    assert (late >= 0).mean() >= 0.93
    assert np.median(late[late >= 0] - 2000) <= 650


def test_half_of_the_largest_of_many_that_goes_to_the_second_is_found(rng: np.random.Generator) -> None:
    """Two of thirty categories move: 211 runs (median) where every expectation was of a move of all."""
    before = 1 / np.arange(1, 31)
    after = before + np.array([-0.5, 0.5] + 28 * [0.0])
    codes = np.concatenate([draw(rng, before, (60, 2000)), draw(rng, after, (60, 1000))], axis=1)
    _, found = alarms(codes, math.log(1e5))
    late = found[found >= 2000]
    assert len(late) >= 57
    assert np.median(late - 2000) <= 200


def test_what_a_run_can_say_is_one_on_average(rng: np.random.Generator) -> None:
    """Whatever a group has seen, its factors weighed by the reference sum to one: no mix is favoured without evidence."""
    state, _ = alarms(draw(rng, TEN, (1, 1500)), math.log(1e12))
    used = state.weights[0] > 0
    total = float(state.weights[0].sum())
    reference = state.weights[0] / total
    mean = np.zeros_like(state.statistic[0], np.float64)
    for bucket in np.flatnonzero(used).tolist():
        stream = state.copy()
        stream.start_n[0, -1] = 5  # not complete: no group begins
        stream.start_shares[0, :, -1] *= 5 / stream.start_shares[0, :, -1].sum()
        stream.statistic[0, :] = 1.0
        stream.statistic[0, :, -1] = 0.0  # the youngest group counts the new change point, by one
        shares = np.arange(mix.BUCKETS) == float(bucket)
        mix.weigh_starts(
            stream[0], reference, shares.astype(float), int(used.sum()), total, np.empty((mix.ROOM, mix.STARTS))
        )
        mean += reference[bucket] * stream.statistic[0]
    assert used.sum() >= 10
    np.testing.assert_allclose(mean, 1.0, rtol=1e-5)


def test_what_a_run_can_say_of_one_category_is_one_on_average(rng: np.random.Generator) -> None:
    state, _ = alarms(draw(rng, TEN, (1, 1500)), math.log(1e12))
    used = int((state.weights[0] > 0).sum())
    reference = state.weights[0].astype(float) / float(state.weights[0].sum())
    mean = np.zeros(state.alone[0].shape)
    for bucket in range(used):
        stream = state.copy()
        total = mix.weigh_categories(stream[0], reference, np.eye(mix.BUCKETS)[bucket], used)
        assert total == pytest.approx(mix.ALONE * stream.alone[0].sum() / used, rel=1e-5)
        mean += reference[bucket] * stream.alone[0]
    np.testing.assert_allclose(mean[:, :used], state.alone[0][:, :used] + 1.0, rtol=1e-5)
    assert not state.alone[0][:, used:].any()
    assert mix.PARTS.sum() + mix.ALONE * len(mix.ODDS) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("share", "longest"),
    [
        pytest.param(0.2, 310, id="doubles"),
        pytest.param(0.3, 88, id="trebles"),
        pytest.param(0.0, 170, id="disappears"),
    ],
)
def test_one_of_ten_that_moves_alone_is_found(share: float, longest: int, rng: np.random.Generator) -> None:
    """Medians were 324, 90 and 175 runs where no expectation was of one category alone."""
    after = np.array([share] + 9 * [(1 - share) / 9])
    codes = np.concatenate([draw(rng, np.ones(10), (400, 2000)), draw(rng, after, (400, 1000))], axis=1)
    _, found = alarms(codes, math.log(1e5))
    late = found[(found < 0) | (found >= 2000)]
    assert np.median(np.where(late < 0, np.inf, late - 2000)) <= longest


def test_a_stream_that_never_varies_raises_no_alarm_however_long(rng: np.random.Generator) -> None:
    """Each run says a little for less of what never comes: the sum passes the threshold, no change point alone does."""
    limit = math.log(1000)
    state, found = alarms(np.zeros((1, 6000)), limit)
    assert state.log_e[0] > limit, "the test shows nothing before the sum has passed"
    assert found[0] == -1
    assert not mix.from_one_onset(state[0], float(state.weights[0].sum()), 0.5 * limit)
    codes = np.concatenate([draw(rng, TEN, (1, 1000)), draw(rng, TEN[::-1], (1, 60))], axis=1)
    moved, _ = alarms(codes, math.log(1e12))
    assert mix.from_one_onset(moved[0], float(moved.weights[0].sum()), 0.5 * limit)


def test_groups_of_change_points_keep_their_order_and_every_start(rng: np.random.Generator) -> None:
    state, _ = alarms(draw(rng, TEN, (5, 1500)), math.log(1e12))
    assert (state.starts == mix.STARTS).all()
    assert (np.diff(state.start_n) < 0).all(), "oldest first"
    np.testing.assert_allclose(state.start_shares.sum(axis=1), state.start_n, rtol=1e-4)
    assert (state.start_n[:, -1] <= mix.SPACING).all()


def test_where_batches_are_cut_leaves_no_trace_in_the_groups(rng: np.random.Generator) -> None:
    n = 2500
    codes = draw(rng, TEN, (1, n)).ravel().astype(np.int64)
    runs, at = (np.arange(n) // 3 + 1).astype(np.uint64), np.arange(n)
    slots, limits = np.zeros(n, np.int64), np.full(n, math.log(1e12))
    states = []
    for cuts in ([0, n], [0, *sorted(rng.choice(np.arange(1, n), 40, replace=False).tolist()), n]):
        state = records(LAYOUT, 1)
        ring = np.zeros((1, 0), np.float32)
        for begin, end in itertools.pairwise(cuts):
            part = slice(begin, end)
            mix.observe_mix(state, ring, slots[part], codes[part], runs[part], at[part], limits[part], 200)
        states.append(state)
    assert states[0].starts[0] == mix.STARTS, "the test shows nothing before groups are joined"
    assert states[0].tobytes() == states[1].tobytes()


def test_weights_of_the_buckets_hold_every_run_of_the_warm_up(rng: np.random.Generator) -> None:
    state, _ = alarms(draw(rng, np.ones(5), (5, 200 + 1)), math.log(1e7))
    assert (state.phase == mix.WATCHING).all()
    used = (state.weights > 0).sum(axis=1)
    np.testing.assert_allclose(state.weights.sum(axis=1), 200 + 0.5 * used, atol=1e-3)


def test_a_warm_up_that_chose_the_buckets_counts_half(rng: np.random.Generator) -> None:
    state, _ = alarms(draw(rng, 1 / np.arange(1, 61) ** 1.5, (5, 200 + 1)), math.log(1e7))
    assert (state.phase == mix.WATCHING).all()
    used = (state.weights > 0).sum(axis=1)
    prior = 0.5 * used + (state.weights[:, mix.NEW] / mix.CHOSEN - 0.5)
    np.testing.assert_allclose(state.weights.sum(axis=1), mix.CHOSEN * (200 + prior), atol=1e-3)

"""Two samples: the tests are SciPy's, the intervals hold what they promise, and odd samples give an answer or none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipelines.alerts.two_sample import LEAST, TwoSample, of_rates, of_shares, of_values, wilson

REPEATS = 400
#: Of 400 intervals at 95 %, fewer hold the truth than this once in ten thousand.
LEAST_COVERED = int(stats.binom.ppf(1e-4, REPEATS, 0.95))


def rng() -> np.random.Generator:
    return np.random.default_rng(4)


def one_hot(rng: np.random.Generator, shares: list[float], runs: int, calls: int) -> np.ndarray:
    return rng.multinomial(calls, shares, size=runs) / calls


def test_numbers_are_compared_by_brunner_munzel_and_cliff_s_delta() -> None:
    draw = rng()
    before, after = draw.lognormal(0, 1, 300), draw.lognormal(0.5, 1.5, 80)
    found = of_values(before, after)
    reference = stats.brunnermunzel(before, after)
    assert found is not None and found.test == "Brunner-Munzel"
    assert (found.statistic, found.p_value) == pytest.approx((reference.statistic, reference.pvalue))
    greater, less = (after[:, None] > before).mean(), (after[:, None] < before).mean()
    assert found.effect == pytest.approx(greater - less)
    assert (found.n_before, found.n_after) == (300, 80)


def test_samples_that_do_not_overlap_are_compared_all_the_same() -> None:
    found = of_values(np.arange(50.0), np.arange(100.0, 110.0))
    assert found is not None and found.test == "Mann-Whitney"
    assert found.effect == found.high == 1.0 and 0.5 < found.low < 1.0 and found.p_value < 1e-4


def test_constant_samples_do_not_differ() -> None:
    found = of_values(np.full(30, 2.0), np.full(30, 2.0))
    assert found is not None and found.effect == 0.0 and found.p_value == 1.0


def test_rates_are_compared_by_fisher_s_test() -> None:
    found = of_rates(10, 500, 30, 100)
    assert found is not None and found.test == "Fisher"
    exact: Any = stats.fisher_exact([[30, 70], [10, 490]])
    assert found.p_value == pytest.approx(exact.pvalue)
    assert found.effect == pytest.approx(0.28)
    # Newcombe's own example (1998), method 10: 56/70 and 48/80.
    paper = of_rates(48, 80, 56, 70)
    assert paper is not None
    assert (paper.low, paper.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    never_before = of_rates(0, 400, 12, 30)
    assert never_before is not None and never_before.statistic is None and never_before.low > 0.2


def test_wilson_s_interval_is_the_one_of_scipy() -> None:
    for hits, n in ((0, 9), (3, 9), (81, 263)):
        reference = stats.binomtest(hits, n).proportion_ci(method="wilson")
        assert wilson(hits, n) == pytest.approx((reference.low, reference.high))
    assert wilson(0, 0) == (0.0, 1.0)


def test_mixes_are_compared_by_runs_whose_calls_resemble_each_other() -> None:
    draw = rng()
    # Every run sticks to one source: a thousand calls are a hundred independent choices.
    stuck = [np.repeat(one_hot(draw, [0.5, 0.5], 60, 1), 1, axis=0) for _ in range(2)]
    found = of_shares(*stuck)
    assert found is not None and found.test == "permuted chi-square" and found.p_value > 0.01
    moved = of_shares(one_hot(draw, [0.8, 0.2, 0.0], 200, 5), one_hot(draw, [0.5, 0.2, 0.3], 40, 5))
    assert moved is not None and moved.p_value == 0.0005
    assert moved.low < 0.3 < moved.high and moved.low > 0.15


def test_the_permutations_statistic_is_pearson_s() -> None:
    before, after = one_hot(rng(), [0.5, 0.3, 0.2], 80, 1), one_hot(rng(), [0.2, 0.3, 0.5], 40, 1)
    found = of_shares(before, after)
    table = np.vstack([before.sum(axis=0), after.sum(axis=0)])
    assert found is not None
    pearson: Any = stats.chi2_contingency(table, correction=False)
    assert found.statistic == pytest.approx(pearson.statistic)


def covered(found: TwoSample | None, truth: float) -> bool:
    assert found is not None
    return found.low <= truth <= found.high


def test_intervals_hold_the_true_effect_as_often_as_they_say() -> None:
    draw = rng()
    shift = 0.5
    delta = float(2 * stats.norm.cdf(shift / np.sqrt(2)) - 1)
    values = [covered(of_values(draw.normal(0, 1, 120), draw.normal(shift, 1, 25)), delta) for _ in range(REPEATS)]
    rates = [covered(of_rates(draw.binomial(300, 0.02), 300, draw.binomial(25, 0.2), 25), 0.18) for _ in range(REPEATS)]
    assert sum(values) >= LEAST_COVERED
    assert sum(rates) >= LEAST_COVERED


def test_without_a_change_the_tests_are_not_surprised_more_often_than_they_say() -> None:
    draw = rng()
    # Twenty runs of four calls each: the chi-square law of calls or of runs would be off, the permutations are not.
    p = []
    for _ in range(REPEATS):
        found = of_shares(one_hot(draw, [0.6, 0.3, 0.1], 60, 4), one_hot(draw, [0.6, 0.3, 0.1], 20, 4))
        p.append(1.0 if found is None else found.p_value)
    most = int(stats.binom.ppf(1 - 1e-4, REPEATS, 0.05))
    assert sum(value <= 0.05 for value in p) <= most
    assert sum(value <= 0.5 for value in p) >= int(stats.binom.ppf(1e-4, REPEATS, 0.5)), "nor is it cautious beyond use"


@pytest.mark.parametrize("few", [0, 1, LEAST - 1])
def test_too_few_runs_say_nothing(few: int) -> None:
    assert of_values(np.arange(float(few)), np.arange(30.0)) is None
    assert of_rates(0, few, 3, 30) is None
    assert of_shares(np.ones((30, 2)) / 2, np.ones((few, 2)) / 2) is None


def test_one_category_alone_can_t_change() -> None:
    assert of_shares(np.ones((30, 1)), np.ones((30, 1))) is None


@given(
    st.lists(st.floats(-1e9, 1e9), min_size=LEAST, max_size=30),
    st.lists(st.floats(-1e9, 1e9), min_size=LEAST, max_size=30),
)
def test_any_numbers_give_an_effect_within_its_interval(before: list[float], after: list[float]) -> None:
    found = of_values(np.array(before), np.array(after))
    assert found is not None
    assert -1 <= found.low <= found.effect + 1e-9 and found.effect - 1e-9 <= found.high <= 1
    assert 0 <= found.p_value <= 1

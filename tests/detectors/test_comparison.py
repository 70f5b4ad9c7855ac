"""Two groups of runs compared: intervals hold at every look, find what is there, and say when data is missing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

from detectors.comparison import Group, Interval, group_of, mean_difference, rate, rate_difference, verdict
from detectors.errors import SettingsError
from detectors.releases import COMPARISON_SCHEMA, METRICS, NEEDS_DATA, agreement, compare

LOOKS = np.unique(np.geomspace(50, 2000, 60).astype(int))


def rows(group: str, n: int, seed: int, **scale: float) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "group": [group] * n,
            "success": (rng.random(n) < scale.get("success", 0.8)).astype(float),
            "cost_usd": rng.lognormal(0, 0.5, n) * scale.get("cost", 1.0),
            "duration_ms": rng.lognormal(8, 0.4, n) * scale.get("duration", 1.0),
            "tool_error": (rng.random(n) < 0.05).astype(float),
            "denied": (rng.random(n) < scale.get("denied", 0.05)).astype(float),
        }
    )


def added_up(runs: pl.DataFrame) -> pl.DataFrame:
    """What the runs of each group add up to, as ``warehouse/queries/compared_groups.sql`` gives it."""
    sums: list[pl.Expr] = [pl.len().cast(pl.Int64).alias("runs")]
    for metric in METRICS:
        values = pl.col(metric.column).drop_nulls()
        if metric.kind == "ratio":
            values = values.filter(values > 0).log()
        sums += [
            values.len().cast(pl.Int64).alias(f"{metric.column}_runs"),
            values.mean().alias(f"{metric.column}_mean"),
            values.var(ddof=0).alias(f"{metric.column}_variance"),
        ]
    return runs.group_by("group").agg(sums)


def missed(seed: int, draw: str) -> bool:
    """Whether an interval of the difference of two equal laws excludes zero at any look; the second group comes later."""
    rng = np.random.default_rng(seed)
    first, second = (rng.lognormal(0, 1, 2000) if draw == "lognormal" else rng.random(2000) < 0.1 for _ in range(2))
    before = group_of(first.astype(float))
    for n in LOOKS if draw == "lognormal" else LOOKS[::5]:
        after = group_of(second[:n].astype(float))
        found = (mean_difference if draw == "lognormal" else rate_difference)(before, after, 0.05)
        if found.low > 0 or found.high < 0:
            return True
    return False


@pytest.mark.parametrize(("draw", "trials"), [("lognormal", 400), ("rate", 40)])
def test_looking_at_every_step_does_not_raise_the_error(draw: str, trials: int) -> None:
    # 5 % are allowed; 0.5 % more than three standard deviations beyond would be found. Without the correction it is 30 %.
    wrong = sum(missed(seed, draw) for seed in range(trials))
    assert wrong <= 0.05 * trials + 3 * math.sqrt(0.05 * 0.95 * trials)


def test_a_plain_interval_would_fail_that_test() -> None:
    wrong = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        first, second = rng.lognormal(0, 1, 2000), rng.lognormal(0, 1, 2000)
        for n in LOOKS:
            spread = np.sqrt(first.var() / 2000 + second[:n].var() / n)
            if abs(second[:n].mean() - first.mean()) > 1.96 * spread:
                wrong += 1
                break
    assert wrong > 0.05 * 400 + 3 * math.sqrt(0.05 * 0.95 * 400)


@given(
    n=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    share=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    alpha=st.sampled_from([0.5, 0.05, 0.001]),
)
def test_a_rates_interval_holds_its_estimate_and_lies_within_what_is_possible(
    n: tuple[int, int], share: tuple[float, float], alpha: float
) -> None:
    first, second = (Group(size, round(size * part) / size) for size, part in zip(n, share, strict=True))
    found = rate_difference(first, second, alpha)
    assert -1 <= found.low <= found.estimate <= found.high <= 1
    turned = rate_difference(second, first, alpha)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low), abs=1e-6)
    one = rate(first, alpha)
    assert 0 <= one.low <= first.mean <= one.high <= 1


@given(
    n=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    share=st.tuples(*[st.floats(0, 1) | st.sampled_from([0.0, 0.001, 1.0])] * 2),
    alpha=st.sampled_from([0.5, 0.01]),
)
def test_at_the_ends_of_a_difference_the_likeliest_pair_of_rates_reaches_the_limit(
    n: tuple[int, int], share: tuple[float, float], alpha: float
) -> None:
    counts = [(size, round(size * part)) for size, part in zip(n, share, strict=True)]
    first, second = (Group(size, yes / size) for size, yes in counts)
    found = rate_difference(first, second, alpha)

    def least_evidence(difference: float) -> float:
        def against(p: float) -> float:
            rates = (p, min(max(p + difference, 0.0), 1.0))
            return sum(
                float(special.betaln(1 + k, 1 + m - k) - special.xlogy(k, q) - special.xlog1py(m - k, -q))
                for (m, k), q in zip(counts, rates, strict=True)
            )

        low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
        search: Any = optimize.minimize_scalar
        # A search of its own: within, and at the ends, which it never visits.
        within = search(against, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).fun
        return min(within, against(low), against(high))

    for end, outward in ((found.low, -1e-7), (found.high, 1e-7)):
        assert least_evidence(end - outward if abs(end - outward) < 1 else end) <= -math.log(alpha) + 1e-6
        if abs(end + outward) < 1:
            assert least_evidence(end + outward) >= -math.log(alpha) - 1e-6


def test_a_rates_interval_is_the_mixtures() -> None:
    # At the ends the mixture's likelihood ratio is 1 / alpha: checked against a sum over the binomial law.
    found = rate(Group(40, 0.25), 0.05)
    for p in (found.low, found.high):
        log_ratio = math.lgamma(11) + math.lgamma(31) - math.lgamma(42) - 10 * math.log(p) - 30 * math.log1p(-p)
        assert log_ratio == pytest.approx(math.log(20), abs=1e-6)


def test_a_difference_that_is_there_is_found_and_one_that_is_not_is_bounded() -> None:
    runs = pl.concat([rows("1.0", 3000, 1), rows("1.1", 3000, 2, success=0.7, cost=1.5, duration=0.8, denied=0.05)])
    found = dict(compare(added_up(runs), "1.0", "1.1", margin=0.05).select("metric", "verdict").iter_rows())
    assert found["success rate"] == "worse"
    assert found["cost per run"] == "worse"
    assert found["duration"] == "better"
    assert found["denial rate"] == "same within the margin"


def test_few_runs_need_data_and_missing_values_are_coverage() -> None:
    few = pl.concat([rows("1.0", 3, 1), rows("1.1", 4000, 2)])
    result = compare(added_up(few), "1.0", "1.1")
    assert set(result["verdict"]) == {NEEDS_DATA}
    assert result["low"].null_count() == len(METRICS)
    assert result.schema == COMPARISON_SCHEMA
    assert result["missing"][:2].to_list() == ["settled runs: 7 more before", "priced runs: 47 more before"]
    nobody = compare(added_up(few), "0.9", "1.0").row(0, named=True)
    assert (nobody["first_runs"], nobody["first_coverage"], nobody["missing"]) == (
        0,
        None,
        "settled runs: 10 more before and 7 more after",
    )

    half = pl.concat([rows("1.0", 200, 1), rows("1.1", 200, 2)]).with_columns(
        cost_usd=pl.when(pl.int_range(pl.len()) % 2 == 0).then("cost_usd")
    )
    cost = compare(added_up(half), "1.0", "1.1").filter(pl.col("metric") == "cost per run").row(0, named=True)
    assert (cost["first_runs"], cost["first_coverage"], cost["missing"]) == (100, 0.5, None)
    assert cost["margin"] == pytest.approx(0.05 * cost["first"])

    none = half.with_columns(denied=pl.lit(None, dtype=pl.Float64))
    denied = compare(added_up(none), "1.0", "1.1").filter(pl.col("metric") == "denial rate").row(0, named=True)
    assert (denied["verdict"], denied["first"], denied["first_runs"]) == (NEEDS_DATA, None, 0)


def test_constant_values_make_no_error() -> None:
    same = pl.concat([rows("a", 60, 1), rows("b", 60, 2)]).with_columns(
        cost_usd=pl.lit(2.0), duration_ms=pl.lit(0.0), success=pl.lit(1.0)
    )
    found = {row["metric"]: row for row in compare(added_up(same), "a", "b").iter_rows(named=True)}
    assert (found["cost per run"]["low"], found["cost per run"]["high"]) == (0.0, 0.0)
    assert found["duration"]["verdict"] == NEEDS_DATA  # a duration of 0 has no logarithm


@pytest.mark.parametrize(("alpha", "margin"), [(0.0, 0.1), (1.0, 0.1), (0.05, -0.1), (0.05, 1.0), (math.nan, 0.1)])
def test_levels_and_margins_out_of_range_are_refused(alpha: float, margin: float) -> None:
    with pytest.raises(SettingsError, match="out of range"):
        compare(added_up(rows("a", 60, 1)), "a", "b", alpha=alpha, margin=margin)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.2, "better"),
        (-0.2, -0.01, "worse"),
        (-0.04, 0.04, "same within the margin"),
        (0.01, 0.02, "same within the margin"),
        (-0.04, 0.2, "no worse than the margin"),
        (-0.2, 0.04, "no difference yet"),
    ],
)
def test_verdicts(low: float, high: float, expected: str) -> None:
    assert verdict(Interval(0, low, high), 0.05, higher_is_better=True) == expected
    assert verdict(Interval(0, -high, -low), 0.05, higher_is_better=False) == expected


def test_agreement_counts_runs_that_both_decided() -> None:
    decisions = pl.DataFrame({"human": ["pay"] * 30 + ["deny", None], "agent": ["pay"] * 27 + ["deny"] * 4 + ["pay"]})
    group, interval = agreement(decisions)
    assert (group.n, group.mean) == (31, 28 / 31)
    assert interval is not None
    assert 0.6 < interval.low < 28 / 31 < interval.high < 1
    assert agreement(decisions.head(5))[1] is None

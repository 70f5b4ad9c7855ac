"""Error ratios of tool calls with intervals over runs, and quantiles from counts per bucket."""

from __future__ import annotations

import math
from datetime import datetime

import numpy as np
import polars as pl
import pytest

from dashboards.calling import SUMS, is_error_within_noise, quantiles, rolled


def sums(calls: list[tuple[int, int]]) -> pl.DataFrame:
    """The row that the mart would have of runs, each with so many calls of which so many failed."""
    n, e = (np.array(column) for column in zip(*calls, strict=True))
    row = dict.fromkeys(SUMS, 0)
    row |= {"calls": int(n.sum()), "spanned_calls": int(n.sum()), "errors": int(e.sum()), "runs": len(calls)}
    row |= {"spanned_calls_squared": int((n * n).sum()), "errors_squared": int((e * e).sum())}
    row |= {"errors_by_calls": int((n * e).sum()), "last_at": datetime(2026, 3, 2)}
    return pl.DataFrame([row])


def wilson(errors: float, calls: float) -> tuple[float, float]:
    p, z = errors / calls, 1.96
    middle = (p + z * z / (2 * calls)) / (1 + z * z / calls)
    half = z * math.sqrt(p * (1 - p) / calls + z * z / (4 * calls**2)) / (1 + z * z / calls)
    return middle - half, middle + half


def test_with_one_call_a_run_the_interval_is_wilsons() -> None:
    [row] = rolled(sums([(1, 1)] * 30 + [(1, 0)] * 470)).to_dicts()
    assert row["error_ratio"] == pytest.approx(0.06)
    assert (row["error_low"], row["error_high"]) == pytest.approx(wilson(30, 500), rel=1e-9)


def test_calls_that_fail_together_count_as_one_piece_of_evidence() -> None:
    [alone] = rolled(sums([(1, 1)] * 100 + [(1, 0)] * 900)).to_dicts()
    [together] = rolled(sums([(20, 20)] * 5 + [(20, 0)] * 45)).to_dicts()
    assert alone["error_ratio"] == together["error_ratio"] == pytest.approx(0.1)
    assert together["effective_calls"] == pytest.approx(50)
    assert together["error_high"] - together["error_low"] > 3 * (alone["error_high"] - alone["error_low"])


def test_without_a_failure_each_run_counts_once_and_the_interval_is_no_point() -> None:
    [row] = rolled(sums([(10, 0)] * 20)).to_dicts()
    assert row["error_low"] == 0.0
    assert row["error_high"] == pytest.approx(wilson(0, 20)[1])


def test_without_a_span_nothing_is_known_of_failures() -> None:
    [row] = rolled(pl.DataFrame([dict.fromkeys(SUMS, 0) | {"calls": 7, "runs": 3, "last_at": None}])).to_dicts()
    assert row["calls"] == 7
    assert row["error_ratio"] is None and row["error_low"] is None and row["error_high"] is None
    assert is_error_within_noise(row, row) is None


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Runs of 1 to 12 calls whose failures hang together: 95 % intervals cover the ratio in about 95 of 100 samples."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        n = rng.integers(1, 13, 150)
        p = rng.beta(0.5, 9.5, 150)
        [row] = rolled(sums(list(zip(n.tolist(), rng.binomial(n, p).tolist(), strict=True)))).to_dicts()
        held += row["error_low"] <= 0.05 <= row["error_high"]
    assert 0.92 <= held / 400 <= 0.985


def test_a_difference_that_sampling_explains_is_noise() -> None:
    [few] = rolled(sums([(1, 1)] * 3 + [(1, 0)] * 97)).to_dicts()
    [more] = rolled(sums([(1, 1)] * 5 + [(1, 0)] * 95)).to_dicts()
    [many] = rolled(sums([(1, 1)] * 30 + [(1, 0)] * 70)).to_dicts()
    assert is_error_within_noise(more, few) is True
    assert is_error_within_noise(many, few) is False
    assert is_error_within_noise(many, None) is None


def test_quantiles_are_within_the_width_of_a_bucket() -> None:
    taken = np.random.default_rng(1).lognormal(5.5, 0.8, 5000)
    buckets = pl.DataFrame({"bucket": np.floor(8 * np.log2(taken)).astype(int)})
    counted = buckets.group_by("bucket").agg(calls=pl.len().cast(pl.Int64)).with_columns(tool_name=pl.lit("t"))
    [row] = quantiles(counted, ["tool_name"]).to_dicts()
    assert row["timed"] == 5000
    assert row["p50_ms"] == pytest.approx(np.quantile(taken, 0.5), rel=0.046)
    assert row["p95_ms"] == pytest.approx(np.quantile(taken, 0.95), rel=0.046)


def test_without_durations_there_are_no_quantiles() -> None:
    empty = pl.DataFrame(schema={"tool_name": pl.String, "bucket": pl.Int32, "calls": pl.Int64})
    assert quantiles(empty, ["tool_name"]).is_empty()

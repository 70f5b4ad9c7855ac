"""Sums become ratios: the same numbers as the marts', an interval that covers, unknown that stays unknown."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dashboards.cohorts import NULLABLE_SUMS, SUMS, is_ratio_within_noise, is_within_noise, rolled
from dashboards.data import Reader
from warehouse import marts, read_only

DAY = int(timedelta(days=1) / timedelta(seconds=1))
EVER = [
    datetime(2000, 1, 1),
    datetime(2000, 1, 1),
    datetime(2000, 1, 1),
    datetime(2100, 1, 1),
    None,
    None,
    DAY,
    None,
    None,
]


def sums(costs: np.ndarray, successes: np.ndarray) -> pl.DataFrame:
    row = dict.fromkeys(SUMS, 0) | dict.fromkeys(NULLABLE_SUMS, None)
    row |= {
        "runs": len(costs),
        "settled_runs": len(costs),
        "successes": int(successes.sum()),
        "priced_runs": len(costs),
        "priced_successes": int(successes.sum()),
        "cost_usd": float(costs.sum()),
        "cost_squared": float((costs**2).sum()),
        "cost_of_successes_usd": float((costs * successes).sum()),
    }
    return pl.DataFrame([row])


def test_days_and_workflows_agree_with_the_mart(home: Path, reader: Reader) -> None:
    ours = rolled(reader.rows("cohorts", EVER), "bucket_at", "workflow")
    with read_only(home / "warehouse") as warehouse:
        # This fleet's runs have only what pages read.
        has = warehouse.query("SELECT * FROM runs LIMIT 0").columns
        parts = ("team", "cost_center", "model", "release", "agent", "environment", "mode")
        lacking = ", ".join(f"NULL::VARCHAR AS {name}" for name in parts if name not in has)
        read = f"runs AS (SELECT *, {lacking} FROM lake.main.runs)"
        read += ", repeated_work AS (SELECT '' AS run_id, 0.0 AS retry_cost_usd, 0.0 AS loop_cost_usd)"
        for name in ("cost_by_day", "cost_per_outcome"):
            read += f", {name} AS ({marts.models()[name].sql})"
        daily = f"WITH {read} {marts.models()['cost_per_outcome_daily'].sql}"
        theirs = warehouse.query(daily).sort("date", "workflow")
    assert ours.height == theirs.height > 30
    same = {
        "runs": "runs",
        "settled_runs": "settled_runs",
        "pending_runs": "pending_runs",
        "successes": "successes",
        "priced_runs": "priced_runs",
        "cost_usd": "cost_usd",
        "cost_per_success_usd": "cost_per_success_usd",
        "ci_low_usd": "ci_low_usd",
        "ci_high_usd": "ci_high_usd",
        "price_coverage_ratio": "price_coverage_ratio",
        "unsuccessful_cost_usd": "failed_run_cost_usd",
    }
    for our_name, their_name in same.items():
        left, right = ours[our_name].cast(pl.Float64).to_numpy(), theirs[their_name].cast(pl.Float64).to_numpy()
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-12, err_msg=our_name)


def test_any_grouping_adds_up_to_the_whole(reader: Reader) -> None:
    cohorts = reader.rows("cohorts", EVER)
    whole = rolled(cohorts).row(0, named=True)
    for by in ("workflow", "model", "bucket_at"):
        part = rolled(cohorts, by)
        assert part["runs"].sum() == whole["runs"]
        assert part["cost_usd"].sum() == pytest.approx(whole["cost_usd"])


def test_runs_without_a_price_have_no_cost_and_no_coverage(reader: Reader) -> None:
    models = rolled(reader.rows("cohorts", EVER), "model")
    unpriced = models.filter(pl.col("model") == "in-house-70b").row(0, named=True)
    assert unpriced["successes"] > 0
    assert unpriced["cost_usd"] is None and unpriced["cost_per_success_usd"] is None
    assert unpriced["price_coverage_ratio"] == 0


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    cost, success = 0.04, 0.8
    truth = cost * float(np.exp(0.18)) / success
    covered = 0
    for _ in range(400):
        row = rolled(sums(cost * rng.lognormal(0, 0.6, 300), rng.random(300) < success)).row(0, named=True)
        covered += row["ci_low_usd"] <= truth <= row["ci_high_usd"]
    assert 0.92 <= covered / 400 <= 0.98


@pytest.mark.parametrize("successes", [0, 1])
def test_too_few_successes_have_no_interval(successes: int) -> None:
    won = np.zeros(20)
    won[:successes] = 1
    row = rolled(sums(np.full(20, 0.5), won)).row(0, named=True)
    assert row["ci_high_usd"] is None
    assert (row["cost_per_success_usd"] is None) == (successes == 0)


def test_a_large_change_is_no_noise_and_a_small_one_is() -> None:
    rng = np.random.default_rng(1)

    def cohort(cost: float) -> dict[str, float]:
        return rolled(sums(cost * rng.lognormal(0, 0.5, 800), rng.random(800) < 0.9)).row(0, named=True)

    assert is_within_noise(cohort(1.0), cohort(1.5)) is False
    assert is_within_noise(cohort(1.0), cohort(1.01)) is True
    assert is_within_noise(cohort(1.0), dict.fromkeys(cohort(1.0))) is None
    assert is_ratio_within_noise(800, 1000, 900, 1000) is False
    assert is_ratio_within_noise(898, 1000, 900, 1000) is True
    assert is_ratio_within_noise(0, 0, 900, 1000) is None

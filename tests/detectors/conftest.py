"""Builders of observation frames: seeded, one row per observation, a run of its own unless stated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

import numpy as np
import polars as pl
import pytest

START = datetime(2026, 1, 5, tzinfo=UTC).replace(tzinfo=None)


class Frame(Protocol):
    def __call__(
        self,
        values: Sequence[object] | np.ndarray,
        kind: str = "continuous",
        *,
        metric: str = "cost_usd_per_run",
        workflow: str = "support",
        dimension: str = "",
        per_run: int = 1,
        seconds: float = 300.0,
        start: datetime = START,
    ) -> pl.DataFrame: ...


def _frame(
    values: Sequence[object] | np.ndarray,
    kind: str = "continuous",
    *,
    metric: str = "cost_usd_per_run",
    workflow: str = "support",
    dimension: str = "",
    per_run: int = 1,
    seconds: float = 300.0,
    start: datetime = START,
) -> pl.DataFrame:
    n = len(values)
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    run = [index // per_run for index in range(n)]
    return pl.DataFrame(
        {
            "at": [start + timedelta(seconds=seconds * number) for number in run],
            "workflow": [workflow] * n,
            "family": ["cost"] * n,
            "metric": [metric] * n,
            "dimension": [dimension] * n,
            "kind": [kind] * n,
            "value": [None] * n if kind == "mix" else [None if value is None else float(value) for value in listed],  # type: ignore[arg-type]
            "category": [None if value is None else str(value) for value in listed] if kind == "mix" else [None] * n,
            "run_id": [f"{workflow}-{number}" for number in run],
            "late": [False] * n,
        },
        schema_overrides={"at": pl.Datetime("us"), "value": pl.Float64, "category": pl.String},
    )


@pytest.fixture
def frame() -> Frame:
    return _frame


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260105)


@pytest.fixture
def small_fleet() -> pl.DataFrame:
    """Four streams of three kinds with a drift each, interleaved in time; 3,000 observations."""
    rng = np.random.default_rng(3)
    n = 500
    late = np.arange(n) >= 350
    parts = [
        _frame(np.exp(rng.normal(size=n)) * np.where(late, 4.0, 1.0), workflow="a"),
        _frame(rng.poisson(np.where(late, 9, 4)), workflow="a", metric="steps_per_run"),
        _frame(rng.random(n) < np.where(late, 0.5, 0.03), "rate", workflow="b", metric="denied"),
        _frame(
            np.where(np.repeat(late, 3), rng.choice(list("cdx"), 3 * n), rng.choice(list("abcd"), 3 * n)),
            "mix",
            workflow="b",
            metric="retrieval_source",
            per_run=3,
        ),
    ]
    return pl.concat(parts).sort("at", "run_id", maintain_order=True)

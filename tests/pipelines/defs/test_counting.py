"""Counted findings are those of Great Expectations, word by word."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from pipelines.defs.counting import counted
from pipelines.defs.expectations import between, findings, not_null, row_count, total, unique

AT = datetime(2025, 8, 1)
RULES = [
    not_null("run_id"),
    unique("run_id"),
    not_null("workflow"),
    row_count(3, 12, "the distinct run_id of spans"),
    total("calls", 0, 40, "spans of kind model"),
    between("calls", 0),
    between("cost_usd", 0, 5.0),
    between("started_at", AT, AT + timedelta(days=9)),
]


def frame(choice: random.Random, rows: int) -> pl.DataFrame:
    def some(*values: Any) -> list[Any]:
        return [choice.choice(values) for _ in range(rows)]

    ids = [f"run-{number}" for number in range(rows)] if choice.random() < 0.5 else some("a", "b", "run <c>", None)
    days = some(*(timedelta(days=number) for number in range(-2, 12)), None)
    return pl.DataFrame(
        {
            "run_id": pl.Series(ids, dtype=pl.String),
            "workflow": pl.Series(some("w", "w", None), dtype=pl.String),
            "calls": pl.Series(some(0, 1, 5, -3, 700), dtype=pl.Int64),
            "cost_usd": pl.Series(some(0.5, None, float("nan"), -1.25, 6.0), dtype=pl.Float64),
            "started_at": pl.Series([None if day is None else AT + day for day in days], dtype=pl.Datetime("us")),
        }
    )


@pytest.mark.parametrize("seed", range(6))
def test_counted_findings_are_those_of_great_expectations(seed: int) -> None:
    choice = random.Random(seed)
    looked_at = frame(choice, choice.choice([1, 4, 30]))
    found = counted(looked_at, RULES, key="run_id")
    theirs = findings(looked_at, RULES, key="run_id")
    assert found == theirs
    assert any(finding.passed for finding in found) and not all(finding.passed for finding in found)


def test_they_agree_where_all_holds() -> None:
    looked_at = frame(random.Random(1), 5).with_columns(
        run_id=pl.int_range(5).cast(pl.String), workflow=pl.lit("w"), calls=pl.lit(2, pl.Int64), cost_usd=pl.lit(1.5),
        started_at=pl.lit(AT, pl.Datetime("us")),
    )  # fmt: skip
    found = counted(looked_at, RULES, key="run_id")
    assert all(finding.passed for finding in found)
    assert found == findings(looked_at, RULES, key="run_id")

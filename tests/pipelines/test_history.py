"""What observations say beside earlier runs: the same however they are cut, right by hand, and found when it drifts."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from detectors import Monitor
from pipelines.history import History
from pipelines.history.levels import LEARNED, LEAST, MOST
from pipelines.stages.observation import ARRIVAL, OBSERVATION_SCHEMA

START = datetime(2026, 9, 7)


def row(at: datetime, metric: str, kind: str, value: float | None = None, **more: Any) -> dict[str, object]:
    return {
        "at": at, "workflow": "desk", "family": "data", "metric": metric, "dimension": "", "kind": kind, "value": value,
        "category": None, "covariate": None, "run_id": "r", "late": False, **more,
    }  # fmt: skip


def frame(rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=OBSERVATION_SCHEMA, orient="row")


def closed(hours: float, workflow: str = "desk", **more: Any) -> dict[str, object]:
    return row(START + timedelta(hours=hours), "runs_per_hour", ARRIVAL, workflow=workflow, **more)


def told(rows: pl.DataFrame) -> list[tuple[str, float, float]]:
    """Workflow, hour (its end, since the start) and number of runs."""
    return [(each["workflow"], (each["at"] - START) / timedelta(hours=1), each["value"]) for each in rows.to_dicts()]


def test_hours_are_counted_when_the_fleet_has_passed_them_empty_ones_too() -> None:
    rows = [closed(0.5), closed(1.2), closed(1.9), closed(3.0, "other"), closed(5.5), closed(5.6)]
    counts = [("desk", 2, 2), ("desk", 3, 0), ("desk", 4, 0), ("desk", 5, 0), ("other", 5, 0)]
    assert told(History().update(frame(rows))) == counts, "the first hour of each was seen in part only"


def test_runs_that_come_late_and_a_shut_workflow_count_for_nothing() -> None:
    history = History()
    day = [closed(hour) for hour in range(30)]
    late = [closed(12.5, late=True), closed(12.6)]
    assert len(told(history.update(frame([*day, *late])))) == 28
    silent = [closed(hour, "other") for hour in range(30, 24 * 20)]
    desk = [each for each in told(history.update(frame(silent))) if each[0] == "desk"]
    assert desk == [("desk", 30, 1), *(("desk", float(hour), 0) for hour in range(31, 30 + 14 * 24 + 1))]
    again = told(history.update(frame([closed(24 * 20 + 0.5), closed(24 * 20 + 1.5), closed(24 * 20 + 2.5)])))
    assert [each for each in again if each[0] == "desk"] == [("desk", 24 * 20 + 2, 1)]


def seen(cost: float, level: str, number: int) -> dict[str, object]:
    at = START + timedelta(seconds=number)
    return row(at, "cost_ratio_to_usual", "continuous", cost, covariate=level, family="cost")


def test_a_cost_is_told_as_a_multiple_of_what_went_before_among_its_like() -> None:
    rng = np.random.default_rng(1)
    levels = rng.choice(["cheap", "dear"], 400, p=[0.7, 0.3])
    costs = np.exp(rng.normal(size=400)) * np.where(levels == "dear", 30.0, 1.0)
    values = History().update(
        frame([seen(*pair, number) for number, pair in enumerate(zip(costs, levels, strict=True))])
    )
    before: dict[str, list[float]] = defaultdict(list)
    expected = []
    for cost, level in zip(costs.tolist(), levels.tolist(), strict=True):
        if len(before[level]) >= LEAST and all(len(before[each]) >= LEAST for each in ("cheap", "dear")):
            expected.append(cost / math.exp(sum(map(math.log, before[level])) / len(before[level])))
        before[level].append(cost)
    assert values["value"].to_list()[-len(expected) :] == pytest.approx(expected, rel=1e-5)
    assert 0 <= values.height - len(expected) <= 1
    assert abs(np.log(values["value"].to_numpy()).mean()) < 0.2


def test_one_model_alone_and_ids_for_names_give_nothing() -> None:
    assert History().update(frame([seen(1.0, "only", number) for number in range(100)])).is_empty()
    history = History()
    many = [seen(1.0, f"id {number % 500}", number) for number in range(500 * 30)]
    assert set(history.update(frame(many))["covariate"].unique()) <= {f"id {number}" for number in range(MOST)}
    assert history.levels.height == MOST


def test_the_usual_stays_once_it_is_known() -> None:
    history = History()
    first = [seen(1.0, level, 2 * number + (level == "b")) for number in range(LEARNED) for level in "ab"]
    history.update(frame(first))
    later = history.update(frame([seen(2.0, "a", 5000 + number) for number in range(3000)]))
    assert later["value"].to_list() == pytest.approx([2.0] * 3000)


def test_a_success_is_told_with_all_that_was_spent_since_the_one_before() -> None:
    def ended(number: int, cost: float, status: str) -> dict[str, object]:
        at = START + timedelta(minutes=number)
        return row(at, "cost_usd_per_success", "continuous", cost, category=status, family="cost")

    runs = [
        (1.0, "failure"),
        (0.25, "success"),
        (0.5, "success"),
        (2.0, "escalated"),
        (0.1, "failure"),
        (0.2, "success"),
    ]
    rows = [ended(number, *run) for number, run in enumerate(runs)]
    assert History().update(frame(rows))["value"].to_list() == pytest.approx([1.25, 0.5, 2.3])


@st.composite
def traffic(draw: st.DrawFn) -> list[dict[str, object]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    gaps = rng.choice([0.01, 0.3, 2.0, 400.0], size=draw(st.integers(1, 300)), p=[0.6, 0.3, 0.09, 0.01])
    rows: list[dict[str, object]] = []
    for number, hours in enumerate(np.cumsum(gaps).tolist()):
        workflow, run = f"w{rng.integers(3)}", f"r{number}"
        rows.append(closed(hours, workflow, late=bool(rng.random() < 0.05), run_id=run))
        at = rows[-1]["at"]
        assert isinstance(at, datetime)
        more = {"workflow": workflow, "run_id": run}
        rows.append(row(at, "success_by_environment", "rate", 1.0, dimension=f"e{rng.integers(3)}", **more))
        cost = float(np.exp(rng.normal())) if rng.random() < 0.95 else 0.0
        rows.append(row(at, "cost_ratio_to_usual", "continuous", cost, covariate=f"m{rng.integers(2)}", **more))
        ended = rng.choice(["success", "failure"])
        rows.append(row(at, "cost_usd_per_success", "continuous", cost, category=str(ended), **more))
    return rows


@settings(max_examples=40, deadline=None)
@given(rows=traffic(), cuts=st.lists(st.integers(0, 300), max_size=6))
def test_cuts_change_nothing(rows: list[dict[str, object]], cuts: list[int]) -> None:
    history = History()
    whole = history.update(frame(rows))
    pieces = History()
    bounds = [0, *sorted(4 * min(cut, len(rows) // 4) for cut in cuts), len(rows)]
    parts = [pieces.update(frame(rows[start:end])) for start, end in itertools.pairwise(bounds)]
    assert_frame_equal(pl.concat(parts), whole)
    assert_frame_equal(pieces.arrivals, history.arrivals)
    assert_frame_equal(pieces.levels, history.levels)
    assert_frame_equal(pieces.successes, history.successes)


def test_an_environment_that_fails_alone_is_found_by_its_own_stream() -> None:
    rng = np.random.default_rng(2)
    rows = []
    for number in range(6000):
        environment = "canary" if rng.random() < 0.1 else "production"
        failing = 0.3 if environment == "canary" and number > 4000 else 0.03
        at = START + timedelta(minutes=5 * number)
        run = {"run_id": str(number), "family": "tool"}
        failed = float(rng.random() < failing)
        rows.append(row(at, "any_tool_error", "rate", failed, **run))
        rows.append(row(at, "tool_error_by_environment", "rate", failed, dimension=environment, **run))
    signals = Monitor().update(History().update(frame(rows)))
    first = signals.row(0, named=True)
    assert (first["metric"], first["dimension"]) == ("tool_error_by_environment", "canary")
    assert "production" not in signals["dimension"].to_list()


def test_a_workflow_that_gets_no_more_work_is_told() -> None:
    rng = np.random.default_rng(3)
    rows = []
    for hour in range(24 * 35):
        busy = 1 + 0.8 * math.sin((hour % 24 - 9) / 24 * 2 * math.pi)
        for workflow in ("desk", "other"):
            count = rng.poisson(8 * busy) if workflow == "other" or hour < 24 * 30 else 0
            rows += [closed(hour + (number + 0.5) / (count + 1), workflow) for number in range(count)]
    rows.sort(key=lambda each: str(each["at"]))
    signals = Monitor().update(History().update(frame(rows)))
    assert signals["workflow"].to_list() == ["desk"]
    signal = signals.row(0, named=True)
    assert signal["unit"] == "runs" and signal["after_value"] < 1 < 7 < signal["before_value"] < 9
    assert timedelta(0) < signal["at"] - START - timedelta(days=30) < timedelta(days=1)

"""Streams that have gone quiet are forgotten, at the same place whatever the batches, and others get their room."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from detectors import Monitor, MonitorSettings

from .conftest import START, Frame

QUIET = MonitorSettings(retire_after_days=5)


@pytest.fixture
def fleet(frame: Frame, rng: np.random.Generator) -> pl.DataFrame:
    """`steady` for 24 days; `gone` of each kind for 4; `back` for 4 and again from day 16; `late` from day 12."""
    hourly = 3600.0

    def days(workflow: str, kind: str, first: int, count: int) -> pl.DataFrame:
        values = {
            "continuous": rng.normal(size=24 * count),
            "rate": (rng.random(24 * count) < 0.1).astype(float),
            "mix": rng.choice(["a", "b"], 24 * count),
        }[kind]
        return frame(values, kind, workflow=workflow, seconds=hourly, start=START + timedelta(days=first))

    parts = [days("steady", "continuous", 0, 24)]
    for kind in ("continuous", "rate", "mix"):
        parts += [
            days("gone", kind, 0, 4),
            days("back", kind, 0, 4),
            days("back", kind, 16, 8),
            days("late", kind, 12, 12),
        ]
    return pl.concat(parts).sort("at", maintain_order=True)


def seen(monitor: Monitor) -> set[tuple[str, str, int]]:
    return set(monitor.streams().select("workflow", "metric", "observations").iter_rows())


def test_a_quiet_stream_is_forgotten_and_starts_anew_when_it_comes_back(fleet: pl.DataFrame) -> None:
    monitor = Monitor(QUIET)
    monitor.update(fleet.filter(pl.col("at") < START + timedelta(days=11)))
    assert set(monitor.streams()["workflow"]) == {"steady"}
    monitor.update(fleet.filter(pl.col("at") >= START + timedelta(days=11)))
    counts = monitor.streams().group_by("workflow").agg(pl.col("observations").unique()).sort("workflow")
    assert counts.rows() == [("back", [192]), ("late", [288]), ("steady", [576])]
    assert monitor.streams().filter(workflow="back", kind="mix")["state"].item() == "warming_up", (
        "it has learned 8 days"
    )


@pytest.mark.parametrize("hours", [7, 24, 100])
def test_it_happens_at_the_same_place_whatever_the_batches_and_the_restarts(fleet: pl.DataFrame, hours: int) -> None:
    whole = Monitor(QUIET)
    whole.update(fleet)
    pieces = Monitor(QUIET)
    step = timedelta(hours=hours)
    for number in range(24 * 24 // hours + 1):
        inside = pl.col("at").is_between(START + number * step, START + (number + 1) * step, closed="left")
        pieces.update(fleet.filter(inside))
        if number % 3 == 0:
            pieces = Monitor.decode(pieces.encode(), QUIET)
    assert pieces.encode() == whole.encode()


def test_workflows_that_come_and_go_leave_no_trace(frame: Frame) -> None:
    monitor = Monitor(MonitorSettings(retire_after_days=3))
    sizes = []
    for day in range(24):
        names = [f"job-{day}-{number}" for number in range(20)]
        start = START + timedelta(days=day)
        parts = [frame(["x", f"y{day}"], "mix", workflow=name, start=start) for name in names]
        parts += [frame([1.0, 2.0], workflow=name, start=start) for name in names]
        monitor.update(pl.concat(parts))
        sizes.append(len(monitor.encode()))
    assert monitor.streams().height == 2 * 20 * 4, "today's, and those of the three days that completed since"
    assert max(sizes[10:]) <= 1.1 * sizes[10]
    assert all(len(bank.ignored) <= 256 for bank in monitor._banks.values())


def test_what_waits_for_an_answer_is_kept(frame: Frame) -> None:
    monitor = Monitor(QUIET)
    assert monitor.update(frame([0.0] * 300 + [1.0] * 60)).height == 1
    later = [frame([1.0], workflow="other", start=START + timedelta(days=day)) for day in range(2, 30)]
    monitor.update(pl.concat(later[:20]))
    assert monitor.streams().filter(workflow="support")["state"].to_list() == ["alarmed"]
    monitor.rearm("support", relearn=True)
    monitor.update(pl.concat(later[20:]))
    assert set(monitor.streams()["workflow"]) == {"other"}

"""How far the streams are: each is counted once, in its state; retired ones as long as their workflow is there."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from detectors import READINESS_SCHEMA, Monitor, MonitorSettings

from .conftest import START, Frame

STATES = ["needs_data", "warming_up", "watching", "alarmed"]


def test_every_stream_is_counted_once_in_its_state(small_fleet: pl.DataFrame) -> None:
    monitor = Monitor()
    assert dict(monitor.readiness().schema) == READINESS_SCHEMA and monitor.readiness().is_empty()
    for end in (10, 900, 2000, 3000):
        monitor = Monitor()
        monitor.update(small_fleet[:end])
        told = monitor.readiness().unpivot(STATES, index=["workflow", "family", "metric"], variable_name="state")
        streams = monitor.streams().group_by("workflow", "family", "metric", "state").len("value")
        both = told.filter(pl.col("value") > 0).select(streams.columns).sort(streams.columns)
        assert both.equals(streams.with_columns(pl.col("value").cast(pl.Int64)).sort(streams.columns))


def test_retired_streams_are_counted_while_their_workflow_is_there_whatever_the_restarts(frame: Frame) -> None:
    settings = MonitorSettings(retire_after_days=3)
    parts = []
    for day in range(12):
        start = START + timedelta(days=day)
        parts += [
            frame([1.0], workflow="steady", start=start),
            frame([1.0], metric="other", workflow="steady", start=start),
        ]
        if day < 2:
            parts += [
                frame([1.0], dimension=f"tool-{day}", workflow="steady", start=start),
                frame([1.0], workflow="gone", start=start),
            ]
    observations = pl.concat(parts)
    whole = Monitor(settings)
    whole.update(observations)
    metric = parts[0]["metric"][0]
    told = whole.readiness()
    assert told.filter(pl.col("retired") > 0).select("workflow", "metric", "retired").rows() == [("steady", metric, 2)]
    assert "gone" not in set(told["workflow"]), "a workflow that is no more leaves no trace"
    pieces = Monitor(settings)
    for row in range(observations.height):
        pieces.update(observations[row : row + 1])
        pieces = Monitor.decode(pieces.encode(), settings)
    assert pieces.readiness().equals(told) and pieces.encode() == whole.encode()

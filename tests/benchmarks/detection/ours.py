"""Ours, through the public `Monitor`: every stream of a case at once, at the threshold that the docs promise."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from detectors import Monitor, MonitorSettings
from detectors.spikes import SHARE
from tests.benchmarks.detection.cases import DAY, Case, Values
from tests.benchmarks.detection.measure import Alarms

SECONDS = 300
START = datetime(2026, 1, 5)
WEEK = 7 * 86_400 // SECONDS


def settings(streams: int, arl: float, warm_up: int = 200) -> MonitorSettings:
    """Give a budget whose threshold of drift is `arl` observations whatever the day: volume and budget are a week's."""
    volume = float(streams * WEEK)
    return MonitorSettings(
        alarm_budget_per_week=volume / arl / (1 - SHARE),
        observations_per_week_at_start=volume,
        warm_up_continuous=warm_up,
        warm_up_rate=warm_up,
        warm_up_mix=warm_up,
    )


def run(case: Case, values: Values, arl: float) -> Alarms:
    """Give the first alarm of each stream."""
    streams, n = values.shape
    monitor = Monitor(settings(streams, arl))
    step = max(1, 100_000 // streams)
    signals = [monitor.update(frame(case.kind, values[:, begin : begin + step], begin)) for begin in range(0, n, step)]
    found = pl.concat(signals).filter(pl.col("kind") == case.kind) if signals else pl.DataFrame()
    found = found.unique("workflow", keep="first", maintain_order=True)
    first, onset = np.full(streams, -1), np.full(streams, np.nan)
    slots = found["workflow"].cast(pl.Int64).to_numpy()
    first[slots] = _index(found["at"])
    onset[slots] = _index(found["onset_at"])
    return Alarms(first, onset, n)


def _index(at: pl.Series) -> np.ndarray:
    return ((at - START).dt.total_seconds() // SECONDS).to_numpy()


def frame(kind: str, values: Values, begin: int) -> pl.DataFrame:
    """Give observations of all streams, one time after the other; each is a run of its own."""
    streams, n = values.shape
    flat = pl.Series(values.T.ravel())
    names = pl.Series([str(number) for number in range(streams)])
    at = pl.Series(
        [START + timedelta(seconds=SECONDS * (begin + number)) for number in range(n)], dtype=pl.Datetime("us")
    )
    index = np.repeat(np.arange(n), streams)
    stream = np.tile(np.arange(streams), n)
    mix = kind == "mix"
    return pl.DataFrame({"at": at.gather(index), "workflow": names.gather(stream)}).with_columns(
        family=pl.lit("cost"),
        metric=pl.lit("cost_usd_per_run"),
        dimension=pl.lit(""),
        kind=pl.lit(kind),
        value=pl.lit(None, pl.Float64) if mix else flat,
        category=flat.cast(pl.Int64).cast(pl.String) if mix else pl.lit(None, pl.String),
        run_id=pl.Series(begin * streams + np.arange(streams * n)).cast(pl.String),
        late=pl.lit(False),
    )


def speed(rng: np.random.Generator, streams: int, warm_up: int, rounds: int) -> dict[str, float]:
    """Time watched continuous streams: updates a second in the bank and in the whole monitor, and the checkpoint.

    They learn for 30 days, until each has turned out to have no season, as all but new and seasonal streams have.
    """
    monitor = Monitor(settings(streams, 1e9, warm_up))
    apart = 30 * DAY // warm_up
    for number in range(warm_up + 2):
        monitor.update(frame("continuous", rng.normal(size=(streams, 1)), number * apart))
    bank = monitor._banks["continuous"]
    observe, spent = bank.observe, [0.0]

    def timed(rows: pl.DataFrame) -> list[tuple[int, int]]:
        begun = time.perf_counter()
        alarms = observe(rows)
        spent[0] += time.perf_counter() - begun
        return alarms

    type(bank).observe, original = (lambda self, rows: timed(rows)), type(bank).observe  # the class has slots
    try:
        load = frame("continuous", rng.normal(size=(streams, rounds)), (warm_up + 2) * apart)
        begun = time.perf_counter()
        monitor.update(load)
        whole = time.perf_counter() - begun
    finally:
        type(bank).observe = original
    begun = time.perf_counter()
    state = monitor.encode()
    return {
        "streams": streams,
        "bank_updates_per_second": streams * rounds / spent[0],
        "monitor_updates_per_second": streams * rounds / whole,
        "checkpoint_seconds": time.perf_counter() - begun,
        "checkpoint_bytes": len(state),
    }

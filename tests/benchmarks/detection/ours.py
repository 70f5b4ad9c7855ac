"""Ours, through the public `Monitor`: every stream of a case at once, at the threshold that the docs promise."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from detectors import Monitor, MonitorSettings
from detectors.packed import encode
from detectors.spikes import SHARE
from tests.benchmarks.detection import fleet
from tests.benchmarks.detection.cases import Case, Values
from tests.benchmarks.detection.measure import Alarms

SECONDS = 300
START = datetime(2026, 1, 5)
DAYS = 33  # in which the fleet whose speed is taken gives its runs
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


def speed(rng: np.random.Generator, streams: int, warm_up: int, options: dict[str, int]) -> dict[str, Any]:
    """Time a watched fleet (`fleet`): updates a second in the banks and in the whole monitor, and its checkpoint.

    Its workflows give their runs in 33 days, until each number has turned out to have no season, as all but new and seasonal
    ones have. Updates are counted in processor time, of all threads, and are the best of the rounds; so are the milliseconds of
    the checkpoint, which are by the clock.
    """
    workflows, runs = max(1, streams // len(fleet.STREAMS)), options["speed_runs"]
    seconds = DAYS * 86_400 / runs
    monitor = Monitor(settings(workflows * len(fleet.STREAMS), 1e9, warm_up))
    each = min(max(1, 20_000 // workflows), 10)  # runs of a workflow that come together
    for first in range(0, runs, each):
        monitor.update(fleet.runs(rng, workflows, min(each, runs - first), first, seconds))
    spent: dict[str, list[float]] = {kind: [] for kind in ("continuous", "rate", "mix", "whole")}
    rows: dict[str, int] = {}
    for number in range(options["speed_rounds"]):
        load = fleet.runs(rng, workflows, each, runs + number * each, seconds)
        rows |= dict(load["kind"].value_counts().iter_rows()) | {"whole": load.height}
        begun = time.process_time()
        with _timed(monitor) as banks:
            monitor.update(load)
        spent["whole"].append(time.process_time() - begun)
        for kind, took in banks.items():
            spent[kind].append(took)
    kinds = ("continuous", "rate", "mix")
    best = {kind: min(times) for kind, times in spent.items()}
    saved, loaded, state = [], [], b""
    for _ in range(options["speed_rounds"]):
        begun = time.perf_counter()
        state = monitor.encode()
        saved.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        Monitor.decode(state, monitor.settings)
        loaded.append(time.perf_counter() - begun)
    counts = {kind: monitor._banks[kind].streams for kind in kinds}
    return {
        "streams": sum(counts.values()),
        "streams_by_kind": counts,
        "runs": runs + options["speed_rounds"] * each,
        "bank_updates_per_second": sum(rows[kind] for kind in kinds) / sum(best[kind] for kind in kinds),
        "bank_updates_per_second_by_kind": {kind: rows[kind] / best[kind] for kind in kinds},
        "monitor_updates_per_second": rows["whole"] / best["whole"],
        "checkpoint_seconds": min(saved),
        "load_seconds": min(loaded),
        "checkpoint_bytes": len(state),
        "bytes_per_stream_by_kind": {kind: _bytes(monitor, kind) / counts[kind] for kind in kinds},
    }


@contextmanager
def _timed(monitor: Monitor) -> Iterator[dict[str, float]]:
    """Processor seconds that the banks take."""
    spent: dict[str, float] = {}
    own = {kind: type(bank).observe for kind, bank in monitor._banks.items()}

    def timed(kind: str) -> Any:
        def observe(bank: Any, rows: pl.DataFrame) -> list[tuple[int, int]]:
            begun = time.process_time()
            alarms = own[kind](bank, rows)
            spent[kind] = spent.get(kind, 0.0) + time.process_time() - begun
            return alarms

        return observe

    try:
        for kind, bank in monitor._banks.items():
            type(bank).observe = timed(kind)  # the classes have slots
        yield spent
    finally:
        for kind, bank in monitor._banks.items():
            type(bank).observe = own[kind]


def _bytes(monitor: Monitor, kind: str) -> int:
    """Bytes of a bank in the checkpoint, a number's tail for its spikes included, keys and names not."""
    parts = monitor._banks[kind].snapshot()
    if kind == "continuous":
        parts |= {f"spike.{name}": array for name, array in monitor._spikes.snapshot(monitor._sums()).items()}
    return len(encode({}, parts))

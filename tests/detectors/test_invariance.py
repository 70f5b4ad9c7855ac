"""The same observations give the same signals and the same state, however they are cut and however often restarted."""

from __future__ import annotations

import functools
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors import Monitor, MonitorSettings
from tests.detectors.conftest import Frame

OPINION = MonitorSettings(second_opinion=True)


@functools.cache
def whole(settings_: MonitorSettings, key: int) -> tuple[pl.DataFrame, bytes]:
    monitor = Monitor(settings_)
    return monitor.update(CORPUS[key]), monitor.encode()


CORPUS: dict[int, pl.DataFrame] = {}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(st.integers(0, 3000), max_size=12),
    restarts=st.lists(st.booleans(), min_size=13, max_size=13),
    opinion=st.booleans(),
)
def test_splits_and_restarts_change_nothing(
    small_fleet: pl.DataFrame, cuts: list[int], restarts: list[bool], opinion: bool
) -> None:
    CORPUS[0] = small_fleet
    chosen = OPINION if opinion else MonitorSettings()
    expected, state = whole(chosen, 0)
    assert expected.height == 4
    monitor = Monitor(chosen)
    signals: list[pl.DataFrame] = []
    bounds = [0, *sorted(min(cut, small_fleet.height) for cut in cuts), small_fleet.height]
    for start, end, restart in zip(bounds, bounds[1:], restarts, strict=False):
        signals.append(monitor.update(small_fleet[start:end]))
        if restart:
            monitor = Monitor.decode(monitor.encode(), chosen)
    assert pl.concat(signals).equals(expected)
    assert monitor.encode() == state


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), vocabulary=st.integers(2, 120), cuts=st.lists(st.integers(0, 700), max_size=6))
def test_categories_beyond_what_a_mix_can_hold_change_nothing(
    frame: Frame, seed: int, vocabulary: int, cuts: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    names = [
        f"c{number}" for number in np.minimum(rng.zipf(1.4, 700), vocabulary) + np.where(np.arange(700) > 500, 7, 0)
    ]
    observations = frame(names, "mix", metric="path", per_run=2)
    one = Monitor()
    expected = one.update(observations)
    other = Monitor()
    bounds = [0, *sorted(cuts), 700]
    signals = [other.update(observations[start:end]) for start, end in itertools.pairwise(bounds)]
    assert pl.concat(signals).equals(expected)
    assert other.encode() == one.encode()


def test_observation_by_observation_is_the_same_too(small_fleet: pl.DataFrame) -> None:
    part = small_fleet[1400:2600]
    one, other = (
        Monitor(MonitorSettings(warm_up_continuous=50, warm_up_rate=50, warm_up_mix=50)),
        Monitor(MonitorSettings(warm_up_continuous=50, warm_up_rate=50, warm_up_mix=50)),
    )
    expected = one.update(part)
    signals = [other.update(part[row : row + 1]) for row in range(part.height)]
    assert expected.height > 0
    assert pl.concat(signals).equals(expected)
    assert other.encode() == one.encode()


def test_interpreted_and_compiled_kernels_raise_the_same_alarms(small_fleet: pl.DataFrame, tmp_path: Path) -> None:
    """Interpreted, an index outside an array is an error; compiled, it would be somebody else's memory."""
    file = tmp_path / "observations.parquet"
    small_fleet.write_parquet(file)
    code = (
        "import sys, polars, detectors\n"
        "signals = detectors.Monitor().update(polars.read_parquet(sys.argv[1]))\n"
        "rows = signals.select('metric', 'at', 'onset_at').rows()\n"
        "print(*(f'{metric} {at.isoformat()} {onset.isoformat()}' for metric, at, onset in rows), sep=';')"
    )
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(file)],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    compiled = Monitor().update(small_fleet).select("metric", "at", "onset_at").rows()
    assert found.split(";") == [f"{metric} {at.isoformat()} {onset.isoformat()}" for metric, at, onset in compiled]

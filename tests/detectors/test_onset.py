"""The onset's interval: it holds the change about as often as it says, it is no wider than that needs, and it starts anew."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from detectors import Monitor
from tests.detectors.conftest import START, Frame

STREAMS, CHANGE, AFTER = 60, 700, 500
BEFORE_MIX = [0.25, 0.2, 0.15, 0.1, 0.1, 0.05, 0.05, 0.04, 0.03, 0.03]
AFTER_MIX = [0.05, 0.2, 0.15, 0.1, 0.3, 0.05, 0.05, 0.04, 0.03, 0.03]


def values(kind: str, rng: np.random.Generator) -> np.ndarray:
    if kind == "continuous":
        return rng.normal(np.r_[np.zeros(CHANGE), np.ones(AFTER)])
    if kind == "rate":
        return rng.random(CHANGE + AFTER) < np.r_[np.full(CHANGE, 0.02), np.full(AFTER, 0.12)]
    return np.r_[rng.choice(10, CHANGE, p=BEFORE_MIX), rng.choice(10, AFTER, p=AFTER_MIX)]


@pytest.mark.parametrize(("kind", "widest"), [("continuous", 30), ("rate", 200), ("mix", 250)])
def test_the_interval_of_an_onset_holds_the_change(
    frame: Frame, rng: np.random.Generator, kind: str, widest: int
) -> None:
    fleet = pl.concat([frame(values(kind, rng), kind, workflow=f"w{number}") for number in range(STREAMS)])
    signals = Monitor().update(fleet.sort("at", "workflow", maintain_order=True))
    found = signals.filter(pl.col("at") > START + timedelta(seconds=300 * CHANGE))
    assert found.height >= 0.95 * STREAMS
    low, onset, high = (found[name] for name in ("onset_low_at", "onset_at", "onset_high_at"))
    assert (low <= onset).all() and (onset <= high).all() and (high <= found["at"]).all()
    changed = START + timedelta(seconds=300 * CHANGE)
    assert ((low <= changed) & (high >= changed)).mean() >= 0.8  # type: ignore[operator]
    assert ((high - low).dt.total_seconds() / 300).median() <= widest  # type: ignore[operator]


def test_after_rearming_no_onset_lies_before_it(frame: Frame, rng: np.random.Generator) -> None:
    monitor = Monitor()
    first = frame(np.r_[rng.normal(size=400), rng.normal(3, 1, 30)])
    assert monitor.update(first).height == 1
    monitor.rearm(relearn=False)
    rearmed = START + timedelta(days=3)
    signal = monitor.update(frame(rng.normal(3, 1, 40), start=rearmed)).row(0, named=True)
    assert rearmed == signal["onset_low_at"] <= signal["onset_at"] <= signal["onset_high_at"] < signal["at"]

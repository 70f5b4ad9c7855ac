"""Numbers that are kept short: near what they were, evidence never above it, edges where they belong."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.kernels import short
from detectors.registry import KEYS, Registry

positive = st.floats(2.0**-60, 2.0**80, width=32)


@settings(deadline=None)
@given(value=positive)
def test_evidence_loses_bits_and_never_gains(value: float) -> None:
    values = np.array([value], np.float32)
    short.shorten(values, short.DOWN, short.EVIDENCE)
    assert value * (1 - 2.0**-11) <= values[0] <= value * (1 + 2.0**-22)
    assert values.view(np.uint32)[0] & 0x0FFF == 0


def test_what_is_too_great_to_be_shortened_stays() -> None:
    values = np.array([np.inf, -np.inf, 3e38, 0.0], np.float32)
    short.shorten(values, 1.0, short.TRACKER)
    assert values.tolist() == np.array([np.inf, -np.inf, 3e38, 0.0], np.float32).tolist()


@settings(deadline=None)
@given(low=st.floats(-1e6, 1e6), gap=st.floats(10.0, 1e12))
def test_an_edge_lies_well_between_its_neighbours_and_is_short(low: float, gap: float) -> None:
    high = low + gap
    edge = short.between(low, high)
    assert low + (high - low) / 9 <= edge <= high - (high - low) / 9
    bits = np.float64(edge).view(np.uint64) & 0x000F_FFFF_FFFF_FFFF
    wanted = np.log2(max(abs(low), abs(high)) / (high - low)) + 4
    assert int(bits) % 2 ** max(0, 52 - int(np.ceil(max(wanted, 2)))) == 0


def test_keys_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = pl.DataFrame([(name, "cost", "cost_usd", "", "rate") for name in "abcab"], schema=list(KEYS), orient="row")
    same = lambda frame, *_: pl.Series("", [7] * len(frame), dtype=pl.UInt64)  # noqa: E731
    monkeypatch.setattr(pl.DataFrame, "hash_rows", same)
    registry = Registry()
    assert registry.assign(rows)["slot"].to_list() == [0, 1, 2, 0, 1]
    assert registry.assign(rows[3:])["slot"].to_list() == [0, 1]

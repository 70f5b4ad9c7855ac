"""Numbers kept short: bits that decide nothing are left out of a stream's state, so that a fleet's fits in a checkpoint.

Frozen: other kernels call these functions and Numba's caches of those would not notice a change here. What must change becomes
a module of another name (`tests/detectors/test_purity.py` holds that).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import compiled

# What is kept, as a factor for `shortened`: 12 significant bits of evidence (an error below 0.025 %), 10 of where an onset
# tracker stands, 16 of means, sums and counts that are only told or only compared.
EVIDENCE, TRACKER, COUNT = 2.0**12 + 1, 2.0**14 + 1, 2.0**8 + 1
DOWN = (
    1.0 - 2.0**-12
)  # evidence is made smaller first, so that no rounding adds to it: the bound on false alarms stays one
LONGEST = 1e30  # from here on a number stays as it is


@compiled
def shortened(value: float, split: float) -> float:
    """Keep the significant bits that `split` leaves of a number (Dekker 1971, A floating-point technique)."""
    x = np.float32(value)
    scaled = x * np.float32(split)
    short = scaled - (scaled - x)
    return float(short) if abs(x) < np.float32(LONGEST) else float(x)


@compiled
def shorten(values: NDArray[np.float32], factor: float, split: float) -> None:
    """Keep the significant bits that `split` leaves of each value times `factor`."""
    for k in range(len(values)):
        values[k] = shortened(values[k] * np.float32(factor), split)


@compiled
def between(low: float, high: float) -> float:
    """Give the number of the fewest bits in the middle three quarters between `low` and `high`."""
    middle, reach = low + 0.5 * (high - low), 0.375 * (high - low)
    step = 2.0**51
    while step > 2.0**29:
        scaled = middle * (step + 1.0)
        short = scaled - (scaled - middle)
        if abs(short - middle) <= reach:
            return short
        step *= 0.5
    return middle

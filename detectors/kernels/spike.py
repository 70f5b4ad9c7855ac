"""Spikes: single values far beyond the tail of a continuous stream, told apart from its drift.

Beside `detectors.kernels.continuous`, which clips them; `detectors.spikes` owns the state.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import Table, compiled

TOP = 21  # greatest values of the warm-up: the least of them is where the tail begins
LEAST_EXCESS = 0.1  # mean log excess that a tail has at least: an hour's level some times the usual is no spike


class SpikeStream:
    """One stream's record, as `LAYOUT` has it."""

    learned: int  # whether the warm-up is over
    first_at: int  # event time of the first value, microseconds
    n: int  # values so far
    total: float  # their sum
    top: NDArray[np.float32]  # (TOP,), falling; warm-up only
    begins: float  # where the tail begins, 0 while that is unknown
    beyond: int  # values in the tail
    excess: float  # sum of ln(value / begins) over them


LAYOUT: dict[str, tuple[tuple[int, ...], str]] = {
    "learned": ((), "u1"), "first_at": ((), "i8"), "n": ((), "i8"), "total": ((), "f8"), "top": ((TOP,), "f4"),
    "begins": ((), "f4"), "beyond": ((), "i4"), "excess": ((), "f4"),
}  # fmt: skip


@compiled
def learn(stream: SpikeStream, x: float) -> None:
    """Keep the greatest values of the warm-up in order."""
    k = TOP - 1
    if x <= stream.top[k]:
        return
    while k > 0 and stream.top[k - 1] < x:
        stream.top[k] = stream.top[k - 1]
        k -= 1
    stream.top[k] = x


@compiled
def begin(stream: SpikeStream) -> None:
    """Let the tail begin at the least positive one of the greatest values."""
    for k in range(TOP):
        if stream.top[k] > 0.0:
            stream.begins = stream.top[k]
    for k in range(TOP):
        if stream.top[k] > stream.begins:
            stream.beyond += 1
            stream.excess += math.log(stream.top[k] / stream.begins)
    stream.top[:] = 0.0


@compiled
def observe_spikes(
    state: Table[SpikeStream],
    slots: NDArray[np.int64],
    values: NDArray[np.float64],
    times: NDArray[np.int64],
    log_thresholds: NDArray[np.float64],
    warm_up: int,
    first_day: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Feed finite `values` in order; return the row of each spike, and what the stream was like before it.

    Parameters
    ----------
    slots, values, times, log_thresholds : (n,) arrays
        Stream, value, event time in microseconds, and -ln of the probability below which a value is a spike.
    warm_up, first_day : int
        Values, and microseconds, before any is judged.

    Returns
    -------
    rows : (spikes,) int64
    before : (spikes, 5) float64
        -ln of the probability, values before, their mean, where the tail begins, mean log excess in it.
    """
    rows = np.empty(len(slots), np.int64)
    before = np.empty((len(slots), 5), np.float64)
    spikes = 0
    for row in range(len(slots)):
        stream = state[slots[row]]
        x = values[row]
        if stream.learned == 0:
            if stream.n == 0:
                stream.first_at = times[row]
            learn(stream, x)
            if stream.n + 1 >= warm_up and abs(times[row] - stream.first_at) >= first_day:
                stream.learned = 1
                begin(stream)
        elif stream.begins == 0.0:
            stream.begins = max(x, 0.0)
        elif x > stream.begins:
            k = stream.beyond
            spread = max(stream.excess, k * LEAST_EXCESS)
            log_share = math.log((k + 1.0) / (stream.n + 1.0))
            excess = math.log(x / stream.begins)
            if k > 0:
                surprise = k * math.log1p(excess / spread) - log_share
                if surprise >= log_thresholds[row]:
                    rows[spikes] = row
                    before[spikes, 0] = surprise
                    before[spikes, 1] = stream.n
                    before[spikes, 2] = stream.total / stream.n
                    before[spikes, 3] = stream.begins
                    before[spikes, 4] = spread / k
                    spikes += 1
                    # Taken in as the least spike there is: the next one is judged by a tail that has seen one.
                    excess = spread * math.expm1((log_thresholds[row] + log_share) / k)
            stream.beyond += 1
            stream.excess += excess
        stream.n += 1
        stream.total += x
    return rows[:spikes], before[:spikes]

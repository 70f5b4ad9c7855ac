"""Rates: yes/no observations, gathered by run → Bernoulli e-values → grid of Shiryaev-Roberts statistics.

The last step of the flow for error, denial, escalation and success rates; `detectors.banks` owns the state.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import compiled

WARMING, WATCHING, ALARMED = 0, 1, 2
# Multiples of the odds that the grid watches: four upwards, then four downwards.
ODDS = np.array([1.5, 2.3, 4.5, 11.0, 1 / 1.5, 1 / 2.3, 1 / 4.5, 1 / 11.0])
# The components of the grid that carry an onset tracker: up, then down.
TRACKED = np.array([0, 2, 3, 4, 6, 7])
# Part of ln(threshold) that must come from one change point: the sum over all of them reaches any threshold in time.
FROM_ONE_ONSET = 0.5
# An onset's interval goes from the first start whose log likelihood is within EARLIER of the likeliest one's to the last one
# within LATER: what covers the change in 90 % of simulations (docs/drift.md).
EARLIER, LATER = 4.0, 2.5
DEPTHS = 3  # times kept of how the path fell to its minimum, one per EARLIER / 2 of depth


class RateState(NamedTuple):
    """Struct of arrays, first axis = stream. A unit is a run: its observations may depend on each other."""

    phase: NDArray[np.uint8]
    observations: NDArray[np.int64]
    units: NDArray[np.int64]  # runs in the reference
    share_sum: NDArray[np.float64]  # sum over those runs of the share of yes
    run: NDArray[np.uint64]  # the open run, 0 when unknown
    run_n: NDArray[np.int32]
    run_sum: NDArray[np.float32]
    run_at: NDArray[np.int64]  # event time of its first observation
    statistic: NDArray[np.float32]  # (streams, 8)
    cusum: NDArray[np.float32]  # (streams, 6): onset trackers
    onset_n: NDArray[np.int32]  # (streams, 6): observations since the tracker left zero
    onset_at: NDArray[np.int64]  # (streams, 6)
    onset_sum: NDArray[np.float64]  # (streams, 6): yes among them
    onset_depth: NDArray[np.float32]  # (streams, 6): how far the path fell below the last multiple of EARLIER / 2
    onset_low_at: NDArray[
        np.int64
    ]  # (streams, 6, DEPTHS): when it first fell that deep, and one and two multiples less
    onset_high_at: NDArray[np.int64]  # (streams, 6): after the last time that the tracker stood at LATER or below
    reference_n: NDArray[np.int64]  # observations, for before and after in raw units
    reference_sum: NDArray[np.float64]
    recent: NDArray[np.float64]
    log_e: NDArray[np.float64]
    threshold: NDArray[np.float64]
    alarm_at: NDArray[np.int64]


LAYOUT: dict[str, tuple[tuple[int, ...], str]] = {
    "phase": ((), "u1"), "observations": ((), "i8"), "units": ((), "i8"), "share_sum": ((), "f8"), "run": ((), "u8"),
    "run_n": ((), "i4"), "run_sum": ((), "f4"), "run_at": ((), "i8"), "statistic": ((8,), "f4"), "cusum": ((6,), "f4"),
    "onset_n": ((6,), "i4"), "onset_at": ((6,), "i8"), "onset_sum": ((6,), "f8"), "onset_depth": ((6,), "f4"),
    "onset_low_at": ((6, DEPTHS), "i8"), "onset_high_at": ((6,), "i8"), "reference_n": ((), "i8"),
    "reference_sum": ((), "f8"), "recent": ((), "f8"), "log_e": ((), "f8"), "threshold": ((), "f8"),
    "alarm_at": ((), "i8"),
}  # fmt: skip


@compiled
def close_run(state: RateState, ring: NDArray[np.float32], s: int, log_threshold: float, warm_up: int) -> bool:
    """Take the open run of stream `s` into the statistic and the reference; True when that raises an alarm."""
    n = state.run_n[s]
    share = state.run_sum[s] / n
    units = state.units[s]
    alarm = False
    if state.phase[s] == WATCHING:
        p = (state.share_sum[s] + 0.5) / (units + 1.0)  # Krichevsky-Trofimov: predictive, never 0 or 1
        if ring.shape[1] > 0:
            ring[s, (units - warm_up) % ring.shape[1]] = (share - p) / math.sqrt(p * (1.0 - p))
        total = 0.0
        for i in range(8):
            e = (1.0 + share * (ODDS[i] - 1.0)) / (1.0 + p * (ODDS[i] - 1.0))
            state.statistic[s, i] = (state.statistic[s, i] + 1.0) * e
            total += state.statistic[s, i]
        strongest = 0.0
        for i in range(6):
            odds = ODDS[TRACKED[i]]
            level = state.cusum[s, i] + math.log((1.0 + share * (odds - 1.0)) / (1.0 + p * (odds - 1.0)))
            if state.cusum[s, i] <= LATER:
                state.onset_high_at[s, i] = state.run_at[s]
            if state.onset_low_at[s, i, DEPTHS - 1] == 0:
                state.onset_low_at[s, i, :] = state.run_at[s]
            if level <= 0.0:
                state.cusum[s, i] = 0.0
                state.onset_n[s, i] = 0
                state.onset_depth[s, i] -= level
                for _ in range(DEPTHS):
                    if state.onset_depth[s, i] >= 0.5 * EARLIER:
                        for j in range(DEPTHS - 1, 0, -1):
                            state.onset_low_at[s, i, j] = state.onset_low_at[s, i, j - 1]
                        state.onset_low_at[s, i, 0] = state.run_at[s]
                        state.onset_depth[s, i] -= 0.5 * EARLIER
                continue
            if state.onset_n[s, i] == 0:
                state.onset_at[s, i] = state.run_at[s]
                state.onset_sum[s, i] = 0.0
            strongest = max(strongest, level)
            state.cusum[s, i] = level
            state.onset_n[s, i] += n
            state.onset_sum[s, i] += state.run_sum[s]
        state.log_e[s] = math.log(total / 8.0)
        state.threshold[s] = log_threshold
        alarm = state.log_e[s] >= log_threshold and strongest >= FROM_ONE_ONSET * log_threshold
    state.units[s] += 1
    state.share_sum[s] += share
    state.reference_n[s] += n
    state.reference_sum[s] += state.run_sum[s]
    state.run_n[s] = 0
    state.run_sum[s] = 0.0
    if state.phase[s] == WARMING and state.units[s] == warm_up:
        state.phase[s] = WATCHING
    return alarm


@compiled
def observe_rate(
    state: RateState,
    ring: NDArray[np.float32],
    slots: NDArray[np.int64],
    values: NDArray[np.float64],
    runs: NDArray[np.uint64],
    times: NDArray[np.int64],
    log_thresholds: NDArray[np.float64],
    warm_up: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Feed `values` (0 or 1) in order; return slot and row of each alarm.

    Neighbouring observations of one run (same number in `runs`, not 0) are one unit, closed by the next run's first.
    """
    alarm_slots = np.empty(len(state.phase), np.int64)
    alarm_rows = np.empty(len(state.phase), np.int64)
    alarms = 0
    for row in range(len(slots)):
        s = slots[row]
        state.observations[s] += 1
        state.recent[s] += (values[row] - state.recent[s]) / min(state.observations[s], 100)
        if state.phase[s] == ALARMED:
            continue
        closes = state.run_n[s] > 0 and (runs[row] != state.run[s] or runs[row] == 0)
        if closes and close_run(state, ring, s, log_thresholds[row], warm_up):
            state.phase[s] = ALARMED
            state.alarm_at[s] = times[row]
            alarm_slots[alarms] = s
            alarm_rows[alarms] = row
            alarms += 1
            continue
        if state.run_n[s] == 0:
            state.run[s] = runs[row]
            state.run_at[s] = times[row]
        state.run_n[s] += 1
        state.run_sum[s] += np.float32(values[row])
    return alarm_slots[:alarms], alarm_rows[:alarms]

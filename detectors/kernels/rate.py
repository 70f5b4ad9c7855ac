"""Rates: yes/no observations, gathered by run → Bernoulli e-values → grid of Shiryaev-Roberts statistics.

The last step of the flow for error, denial, escalation and success rates; `detectors.banks` owns the state.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import Table, compiled, fetch
from detectors.kernels.short import COUNT, DOWN, EVIDENCE, TRACKER, shorten, shortened

WARMING, WATCHING, ALARMED = 0, 1, 2
# Multiples of the odds that the grid watches: four upwards, then four downwards.
ODDS = np.array([1.5, 2.3, 4.5, 11.0, 1 / 1.5, 1 / 2.3, 1 / 4.5, 1 / 11.0])
# The part of the statistic that each has, of 8 in all: a nat costs few observations of large odds, so they have the lesser.
PARTS = np.tile([1.0, 1.2, 1.2, 0.6], 2)
# A rare event that becomes frequent is looked for seven times as hard as one that becomes rarer still, which hardly shows: of
# the weight of a start the greater part goes to the odds that lead towards one half. At a share of one half they are equal.
FAVOUR = 0.75
# Evidence comes in jumps and so lands above the threshold, that of a rare event (or of a rare lack of it) in great ones: by
# simulation that much can be added to its log, and so much more where the share is next to 0 or 1.
OVERSHOOT, RARE_OVERSHOOT = 0.1, 0.45
# The components of the grid that carry an onset tracker: up, then down.
TRACKED = np.array([0, 2, 3, 4, 6, 7])
# Part of ln(threshold) that must come from one change point: the sum over all of them reaches any threshold in time.
FROM_ONE_ONSET = 0.5
# An onset's interval goes from the first start whose log likelihood is within EARLIER of the likeliest one's to the last one
# within LATER: what covers the change in 90 % of simulations (docs/drift.md).
EARLIER, LATER = 4.0, 2.5
SECOND = 1_000_000  # microseconds; onsets are dated by the second
DEPTHS = 3  # times kept of how the path fell to its minimum, one per EARLIER / 2 of depth


class RateStream:
    """One stream's record, as `LAYOUT` has it; arrays have the shape in brackets.

    A unit is a run: its observations may depend on each other.
    """

    phase: int
    observations: int
    units: int  # runs in the reference
    share_sum: float  # sum over those runs of the share of yes
    run: int  # the open run, 0 when unknown
    run_n: int
    run_sum: float
    run_at: int  # event time of its first observation, in whole seconds
    statistic: NDArray[np.float32]  # (8,)
    cusum: NDArray[np.float32]  # (6,): onset trackers
    onset_n: NDArray[np.int32]  # (6,): observations since the tracker left zero
    onset_at: NDArray[np.int64]  # (6,)
    onset_sum: NDArray[np.float64]  # (6,): yes among them
    onset_depth: NDArray[np.float32]  # (6,): how far the path fell below the last multiple of EARLIER / 2
    onset_low_at: NDArray[np.int64]  # (6, DEPTHS): when it first fell that deep, and one and two multiples less
    onset_high_at: NDArray[np.int64]  # (6,): after the last time that the tracker stood at LATER or below
    reference_n: int  # observations, for before and after in raw units
    reference_sum: float
    recent: float
    log_e: float
    threshold: float
    alarm_at: int


LAYOUT: dict[str, tuple[tuple[int, ...], str]] = {
    "phase": ((), "u1"), "observations": ((), "i8"), "units": ((), "i8"), "share_sum": ((), "f8"), "run": ((), "u8"),
    "run_n": ((), "i4"), "run_sum": ((), "f4"), "run_at": ((), "i8"), "statistic": ((8,), "f4"), "cusum": ((6,), "f4"),
    "onset_n": ((6,), "i4"), "onset_at": ((6,), "i8"), "onset_sum": ((6,), "f8"), "onset_depth": ((6,), "f4"),
    "onset_low_at": ((6, DEPTHS), "i8"), "onset_high_at": ((6,), "i8"), "reference_n": ((), "i8"),
    "reference_sum": ((), "f8"), "recent": ((), "f4"), "log_e": ((), "f4"), "threshold": ((), "f8"),
    "alarm_at": ((), "i8"),
}  # fmt: skip


@compiled
def close_run(stream: RateStream, ring: NDArray[np.float32], s: int, log_threshold: float, warm_up: int) -> bool:
    """Take the open run of stream `s` into the statistic and the reference; True when that raises an alarm."""
    n = stream.run_n
    share = stream.run_sum / n
    units = stream.units
    alarm = False
    if stream.phase == WATCHING:
        p = (stream.share_sum + 0.5) / (units + 1.0)  # Krichevsky-Trofimov: predictive, never 0 or 1
        if ring.shape[1] > 0:
            ring[s, (units - warm_up) % ring.shape[1]] = (share - p) / math.sqrt(p * (1.0 - p))
        total = 0.0
        lean = FAVOUR * (1.0 - 2.0 * p)
        for i in range(8):
            e = (1.0 + share * (ODDS[i] - 1.0)) / (1.0 + p * (ODDS[i] - 1.0))
            start = 1.0 + lean if i < 4 else 1.0 - lean
            stream.statistic[i] = (stream.statistic[i] + start) * e
            total += PARTS[i] * stream.statistic[i]
        strongest = 0.0
        for i in range(6):
            odds = ODDS[TRACKED[i]]
            level = stream.cusum[i] + math.log((1.0 + share * (odds - 1.0)) / (1.0 + p * (odds - 1.0)))
            if stream.cusum[i] <= LATER:
                stream.onset_high_at[i] = stream.run_at
            if stream.onset_low_at[i, DEPTHS - 1] == 0:
                stream.onset_low_at[i, :] = stream.run_at
            if level <= 0.0:
                stream.cusum[i] = 0.0
                stream.onset_n[i] = 0
                stream.onset_at[i] = 0
                stream.onset_sum[i] = 0.0
                stream.onset_depth[i] -= level
                for _ in range(DEPTHS):
                    if stream.onset_depth[i] >= 0.5 * EARLIER:
                        for j in range(DEPTHS - 1, 0, -1):
                            stream.onset_low_at[i, j] = stream.onset_low_at[i, j - 1]
                        stream.onset_low_at[i, 0] = stream.run_at
                        stream.onset_depth[i] -= 0.5 * EARLIER
                continue
            if stream.onset_n[i] == 0:
                stream.onset_at[i] = stream.run_at
                stream.onset_sum[i] = 0.0
            strongest = max(strongest, level)
            stream.cusum[i] = level
            stream.onset_n[i] += n
            stream.onset_sum[i] += stream.run_sum
        shorten(stream.statistic, DOWN, EVIDENCE)
        shorten(stream.cusum, 1.0, TRACKER)
        shorten(stream.onset_depth, 1.0, TRACKER)
        one_sided = (1.0 - 2.0 * p) ** 2
        one_sided *= one_sided
        evidence = math.log(total / 8.0) + OVERSHOOT + RARE_OVERSHOOT * one_sided * one_sided
        stream.log_e = shortened(evidence * DOWN, EVIDENCE)
        stream.threshold = log_threshold
        alarm = stream.log_e >= log_threshold and strongest >= FROM_ONE_ONSET * log_threshold
    stream.units += 1
    stream.share_sum += share
    stream.reference_n += n
    stream.reference_sum += stream.run_sum
    stream.run_n = 0
    stream.run_sum = 0.0
    if stream.phase == WARMING and stream.units == warm_up:
        stream.phase = WATCHING
    return alarm


@compiled
def observe_rate(
    state: Table[RateStream],
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
    alarm_slots = np.empty(len(state), np.int64)
    alarm_rows = np.empty(len(state), np.int64)
    alarms = 0
    for row in range(len(slots)):
        s = slots[row]
        stream = state[s]
        fetch(state, slots, row)
        stream.observations += 1
        recent = stream.recent + (values[row] - stream.recent) / min(stream.observations, 100)
        stream.recent = shortened(recent, COUNT)
        if stream.phase == ALARMED:
            continue
        closes = stream.run_n > 0 and (runs[row] != stream.run or runs[row] == 0)
        if closes and close_run(stream, ring, s, log_thresholds[row], warm_up):
            stream.phase = ALARMED
            stream.alarm_at = times[row]
            alarm_slots[alarms] = s
            alarm_rows[alarms] = row
            alarms += 1
            continue
        if stream.run_n == 0:
            stream.run = runs[row]
            stream.run_at = times[row] - times[row] % SECOND
        stream.run_n += 1
        stream.run_sum += values[row]
    return alarm_slots[:alarms], alarm_rows[:alarms]

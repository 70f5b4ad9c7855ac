"""Continuous streams: value → cell of the reference → whitened normal score → grid of Shiryaev-Roberts statistics.

The last step of the flow for costs, tokens, steps and durations; `detectors.banks` owns the state and reads the alarms.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import Table, compiled

CELLS = 16
CLIP = 2.5
WARMING, WATCHING, ALARMED = 0, 1, 2
# Shifts of the grid, in standard deviations of the reference's normal score; each is watched upwards and downwards.
SHIFTS = np.array([0.25, 0.5, 1.0, 1.75])
# ln E exp(d * clip(Z)) of a standard normal Z clipped at CLIP: what makes exp(d * z - LOG_MGF) an e-value.
_CDF = [0.5 * math.erfc(-x / math.sqrt(2.0)) for x in (-CLIP,)]
LOG_MGF = np.array(
    [
        math.log(
            math.exp(d * d / 2) * 0.5 * (math.erf((CLIP - d) / math.sqrt(2.0)) + math.erf((CLIP + d) / math.sqrt(2.0)))
            + 2.0 * math.cosh(d * CLIP) * _CDF[0]
        )
        for d in SHIFTS
    ]
)
SCALE = np.exp(-LOG_MGF)
# Quantiles (in 64ths) at which the reference is cut: fine in the tails, where a drift shows first.
CUTS = np.array([1, 4, 8, 14, 20, 26, 32, 38, 44, 50, 56, 60, 63]) / 64.0
# The components of the grid that carry an onset tracker (a small and a large shift, up then down).
TRACKED = np.array([0, 2, 4, 6])
TAIL = _CDF[0]
DENSITY_AT_CLIP = math.exp(-CLIP * CLIP / 2) / math.sqrt(2 * math.pi)
RESCALE_AT = 2.0**20
# Part of ln(threshold) that must come from one change point: the sum over all of them reaches any threshold in time.
FROM_ONE_ONSET = 0.5
# An onset's interval goes from the first start whose log likelihood is within EARLIER of the likeliest one's to the last one
# within LATER: what covers the change in 90 % of simulations (docs/drift.md).
EARLIER, LATER = 3.0, 2.5
DEPTHS = 3  # times kept of how the path fell to its minimum, one per EARLIER / 2 of depth
SUSPECTED = 4.0  # log evidence of an onset tracker from which a change is suspected
NEARLY_CONSTANT = 0.1  # variance of the warm-up's scores below which there is no correlation to learn (1 without ties)


class ContinuousStream:
    """One stream's record, as `LAYOUT` has it; arrays have the shape in brackets.

    Times in microseconds since 1970, values in the metric's own unit.
    """

    phase: int
    observations: int
    buffer_row: int  # row of the warm-up pool plus 1, 0 when none is held
    edges: NDArray[np.float32]  # (CELLS - 1,), rising, padded with +inf
    weights: NDArray[np.float32]  # (CELLS,): Dirichlet weight of each cell
    statistic: NDArray[np.float32]  # (8,): Shiryaev-Roberts, four shifts up, four down
    cusum: NDArray[np.float32]  # (4,): onset trackers
    onset_n: NDArray[np.int32]  # (4,): observations since the tracker left zero
    onset_at: NDArray[np.int64]  # (4,)
    onset_sum: NDArray[np.float64]  # (4,): sum of the values since then
    onset_depth: NDArray[np.float32]  # (4,): how far the path fell below the last multiple of EARLIER / 2
    onset_low_at: NDArray[np.int64]  # (4, DEPTHS): when it first fell that deep, and one and two multiples less
    onset_high_at: NDArray[np.int64]  # (4,): after the last time that the tracker stood at LATER or below
    reference_n: int
    reference_sum: float
    recent: float  # exponentially weighted mean of the last values
    score: float  # last normal score, for whitening
    moments: NDArray[np.float64]  # (4,): n, sums of score, score squared, squared difference of neighbours
    log_e: float
    threshold: float
    alarm_at: int


LAYOUT: dict[str, tuple[tuple[int, ...], str]] = {
    "phase": ((), "u1"), "observations": ((), "i8"), "buffer_row": ((), "i4"), "edges": ((CELLS - 1,), "f4"),
    "weights": ((CELLS,), "f4"), "statistic": ((8,), "f4"), "cusum": ((4,), "f4"), "onset_n": ((4,), "i4"),
    "onset_at": ((4,), "i8"), "onset_sum": ((4,), "f8"), "onset_depth": ((4,), "f4"), "onset_low_at": ((4, DEPTHS), "i8"),
    "onset_high_at": ((4,), "i8"), "reference_n": ((), "i8"), "reference_sum": ((), "f8"), "recent": ((), "f8"),
    "score": ((), "f4"), "moments": ((4,), "f8"), "log_e": ((), "f8"), "threshold": ((), "f8"),
    "alarm_at": ((), "i8"),
}  # fmt: skip


@compiled
def inverse_normal(p: float) -> float:
    """Quantile of the standard normal law, relative error below 1e-15 (Wichura 1988, algorithm AS 241, PPND16)."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        top = (((((((2509.0809287301226727 * r + 33430.575583588128105) * r + 67265.770927008700853) * r
              + 45921.953931549871457) * r + 13731.693765509461125) * r + 1971.5909503065514427) * r
              + 133.14166789178437745) * r + 3.387132872796366608)  # fmt: skip
        bottom = (((((((5226.495278852545925 * r + 28729.085735721942674) * r + 39307.89580009271061) * r
                 + 21213.794301586595867) * r + 5394.1960214247511077) * r + 687.1870074920579083) * r
                 + 42.313330701600911252) * r + 1.0)  # fmt: skip
        return q * top / bottom
    r = p if q < 0 else 1.0 - p
    r = math.sqrt(-math.log(r))
    if r <= 5.0:
        r -= 1.6
        top = (((((((7.7454501427834140764e-4 * r + 0.0227238449892691845833) * r + 0.24178072517745061177) * r
              + 1.27045825245236838258) * r + 3.64784832476320460504) * r + 5.7694972214606914055) * r
              + 4.6303378461565452959) * r + 1.42343711074968357734)  # fmt: skip
        bottom = (((((((1.05075007164441684324e-9 * r + 5.475938084995344946e-4) * r + 0.0151986665636164571966) * r
                 + 0.14810397642748007459) * r + 0.68976733498510000455) * r + 1.6763848301838038494) * r
                 + 2.05319162663775882187) * r + 1.0)  # fmt: skip
    else:
        r -= 5.0
        top = (((((((2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r + 0.0012426609473880784386) * r
              + 0.026532189526576123093) * r + 0.29656057182850489123) * r + 1.7848265399172913358) * r
              + 5.4637849111641143699) * r + 6.6579046435011037772)  # fmt: skip
        bottom = (((((((2.04426310338993978564e-15 * r + 1.4215117583164458887e-7) * r + 1.8463183175100546818e-5) * r
                 + 7.868691311456132591e-4) * r + 0.0148753612908506148525) * r + 0.13692988092273580531) * r
                 + 0.59983220655588793769) * r + 1.0)  # fmt: skip
    return -top / bottom if q < 0 else top / bottom


@compiled
def clipped_integral(u: float) -> float:
    """Integral from 0 to `u` of the standard normal quantile clipped at ±CLIP."""
    if u <= TAIL:
        return -CLIP * u
    if u >= 1.0 - TAIL:
        return -CLIP * (1.0 - u)
    z = inverse_normal(u)
    return DENSITY_AT_CLIP - CLIP * TAIL - math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


@compiled
def cell_score(low: float, high: float) -> float:
    """Mean clipped normal score of the ranks between `low` and `high` (in 0..1): ties share it, no random tie-break."""
    return (clipped_integral(high) - clipped_integral(low)) / (high - low)


@compiled
def learn_cells(sample: NDArray[np.float64], edges: NDArray[np.float32], weights: NDArray[np.float32]) -> None:
    """Cut a warm-up sample into cells at `CUTS`, never inside a tie, and give each cell its spacings as weight."""
    ordered = np.sort(sample)
    n = len(ordered)
    edges[:] = np.inf
    weights[:] = 0.0
    cells = 0
    start = 0
    if ordered[0] == ordered[min(n - 1, int(CUTS[1] * n))]:  # the least value is an atom: below it is a cell of its own
        edges[0] = np.nextafter(np.float32(ordered[0]), np.float32(-np.inf))
        if edges[0] > ordered[0]:
            edges[0] = np.nextafter(edges[0], np.float32(-np.inf))
        cells = 1
    for cut in CUTS:
        rank = round(cut * n)
        if rank <= start or rank >= n:
            continue
        left = rank
        while left > start and ordered[left - 1] == ordered[rank]:
            left -= 1
        right = rank
        while right < n and right > 0 and ordered[right] == ordered[rank - 1]:
            right += 1
        boundary = left if (left > start and rank - left <= right - rank) or right >= n else right
        if boundary <= start or boundary >= n:
            continue
        low, high = ordered[boundary - 1], ordered[boundary]
        edge = np.float32(low + 0.5 * (high - low))
        if not (low < edge <= high) or cells >= CELLS - 2:
            continue  # not told apart in single precision
        edges[cells] = edge
        weights[cells] = boundary - start
        cells += 1
        start = boundary
    weights[cells] = n - start
    if ordered[n - 1] == ordered[max(0, n - 1 - int(CUTS[1] * n))]:  # the greatest value is an atom
        edges[cells] = np.nextafter(np.float32(ordered[n - 1]), np.float32(np.inf))
        if edges[cells] <= ordered[n - 1]:
            edges[cells] = np.nextafter(edges[cells], np.float32(np.inf))
        cells += 1
    weights[0] += 0.5
    weights[cells] += 0.5


@compiled
def find_cell(edges: NDArray[np.float32], value: float) -> int:
    """Index of the cell that holds `value`."""
    low, high = 0, CELLS - 1
    while low < high:
        middle = (low + high) // 2
        if edges[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def score_of(weights: NDArray[np.float32], cell: int) -> float:
    """Normal score of `cell` under the predictive law that `weights` give."""
    below = 0.0
    for k in range(cell):
        below += weights[k]
    total = below
    for k in range(cell, CELLS):
        total += weights[k]
    return cell_score(below / total, (below + weights[cell]) / total)


@compiled
def observe_continuous(
    state: Table[ContinuousStream],
    pool: NDArray[np.float64],
    ring: NDArray[np.float32],
    slots: NDArray[np.int64],
    values: NDArray[np.float64],
    times: NDArray[np.int64],
    log_thresholds: NDArray[np.float64],
    warm_up: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Feed finite `values` in order; return slot and row of each alarm.

    Parameters
    ----------
    pool : (rows, warm_up) float64
        Warm-up samples; ``state.buffer_row`` says which row a stream holds.
    ring : (streams, length) float32
        Last whitened scores for the second opinion; length 0 when there is none.
    slots, values, times, log_thresholds : (n,) arrays
        Stream, value, event time in microseconds and ln(threshold) of each observation.
    """
    alarm_slots = np.empty(len(state), np.int64)
    alarm_rows = np.empty(len(state), np.int64)
    alarms = 0
    for row in range(len(slots)):
        s = slots[row]
        stream = state[s]
        x = values[row]
        stream.observations += 1
        stream.recent += (x - stream.recent) / min(stream.observations, 50)
        if stream.phase == ALARMED:
            continue
        if stream.phase == WARMING:
            sample = pool[stream.buffer_row - 1]
            sample[stream.reference_n] = x
            stream.reference_n += 1
            stream.reference_sum += x
            if stream.reference_n == warm_up:
                learn_cells(sample, stream.edges, stream.weights)
                stream.phase = WATCHING
                for i in range(warm_up):
                    z = score_of(stream.weights, find_cell(stream.edges, sample[i]))
                    stream.moments[0] += 1.0
                    stream.moments[1] += z
                    stream.moments[2] += z * z
                    if i > 0:
                        stream.moments[3] += (z - stream.score) ** 2
                    stream.score = z
                if stream.moments[2] < NEARLY_CONSTANT * warm_up:
                    stream.moments[3] = np.inf  # no whitening: the first change would look like correlation
            continue

        weights = stream.weights
        cell = find_cell(stream.edges, x)
        z = score_of(weights, cell)

        # Whitening: von Neumann's ratio gives the correlation of neighbours; a shift of the mean hardly moves it, and
        # while one is suspected it is not learned.
        n = stream.reference_n
        pairs = stream.moments[0]
        mean = stream.moments[1] / pairs
        variance = stream.moments[2] / pairs - mean * mean
        correlation = 0.0
        if variance > 0.0:
            correlation = min(max(1.0 - stream.moments[3] / (2.0 * (pairs - 1.0) * variance), 0.0), 0.9)
        white = (z - correlation * stream.score) / math.sqrt(1.0 - correlation * correlation)
        if max(max(stream.cusum[0], stream.cusum[1]), max(stream.cusum[2], stream.cusum[3])) < SUSPECTED:
            stream.moments[0] += 1.0
            stream.moments[1] += z
            stream.moments[2] += z * z
            stream.moments[3] += (z - stream.score) ** 2
        stream.score = z
        if ring.shape[1] > 0:
            ring[s, (n - warm_up) % ring.shape[1]] = white

        total = 0.0
        for i in range(4):
            up = math.exp(SHIFTS[i] * white)
            stream.statistic[i] = (stream.statistic[i] + 1.0) * up * SCALE[i]
            stream.statistic[i + 4] = (stream.statistic[i + 4] + 1.0) / up * SCALE[i]
            total += stream.statistic[i] + stream.statistic[i + 4]
        strongest = 0.0
        for i in range(4):
            component = TRACKED[i]
            step = SHIFTS[component % 4] * (white if component < 4 else -white) - LOG_MGF[component % 4]
            level = stream.cusum[i] + step
            if stream.cusum[i] <= LATER:
                stream.onset_high_at[i] = times[row]
            if stream.onset_low_at[i, DEPTHS - 1] == 0:
                stream.onset_low_at[i, :] = times[row]
            if level <= 0.0:
                stream.cusum[i] = 0.0
                stream.onset_n[i] = 0
                stream.onset_depth[i] -= level
                for _ in range(DEPTHS):
                    if stream.onset_depth[i] >= 0.5 * EARLIER:
                        for j in range(DEPTHS - 1, 0, -1):
                            stream.onset_low_at[i, j] = stream.onset_low_at[i, j - 1]
                        stream.onset_low_at[i, 0] = times[row]
                        stream.onset_depth[i] -= 0.5 * EARLIER
                continue
            if stream.onset_n[i] == 0:
                stream.onset_at[i] = times[row]
                stream.onset_sum[i] = 0.0
            strongest = max(strongest, level)
            stream.cusum[i] = level
            stream.onset_n[i] += 1
            stream.onset_sum[i] += x

        weights[cell] += 1.0
        if weights[cell] > RESCALE_AT:
            for k in range(CELLS):
                weights[k] *= 0.5
        stream.reference_n += 1
        stream.reference_sum += x
        stream.log_e = math.log(total / 8.0)
        stream.threshold = log_thresholds[row]
        if stream.log_e >= log_thresholds[row] and strongest >= FROM_ONE_ONSET * log_thresholds[row]:
            stream.phase = ALARMED
            stream.alarm_at = times[row]
            alarm_slots[alarms] = s
            alarm_rows[alarms] = row
            alarms += 1
    return alarm_slots[:alarms], alarm_rows[:alarms]

"""Continuous streams: value → cell of the reference → likelihood ratios of its bounds, or of a score → Shiryaev-Roberts.

The last step of the flow for costs, tokens, steps and durations; `detectors.banks` owns the state and reads the alarms.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import Table, compiled, fetch
from detectors.kernels.continuous_state import CELLS, DEPTHS, SEASON_BINS, ContinuousStream, Season
from detectors.kernels.normal import CLIP, FARTHEST, SCALE, SHIFTS, cell_ratios, cell_score, logarithm, quantile
from detectors.kernels.short import COUNT, DOWN, EVIDENCE, TRACKER, between, shorten, shortened

WARMING, WATCHING, ALARMED = 0, 1, 2
LOOSE = 0.1  # correlation above which scores are compared, not cells: a cell says too little of the next one's
# The part of the statistic that each shift has, of 8 in all: small ones, of which a nat costs most observations, the greater.
PARTS = np.tile(4.0 / SHIFTS / (1.0 / SHIFTS).sum(), 2)
# By how much ln(threshold) is overshot (0.23 by simulation of normal values), so that evidence may count as much more.
OVERSHOOT = 0.18
# Quantiles (in 64ths) at which the reference is cut: fine in the tails, where a drift shows first.
CUTS = np.array([1, 4, 8, 14, 20, 26, 32, 38, 44, 50, 56, 60, 63]) / 64.0
TRACKED = np.array([0, 2, 4, 6])  # of the grid, with an onset tracker each: a small and a large shift, up then down
RESCALE_AT = 2.0**20
FROM_ONE_ONSET = 0.5  # part of ln(threshold) from one change point at least: the sum over all grows for ever
# An onset's interval goes from the first start whose log likelihood is within EARLIER of the likeliest one's to the last one
# within LATER: what covers the change in 90 % of simulations (docs/drift.md).
EARLIER, LATER = 3.0, 2.5
# Log evidence of an onset tracker from which a change is suspected. That of the small shift takes long to fall again: with 4 for
# it too, many a first Saturday went unlearned.
SUSPECTED, SMALL_SUSPECTED = 4.0, 5.5
SECOND, HOUR, DAY = 1_000_000, 3_600_000_000, 86_400_000_000  # microseconds; onsets are dated by the second
SEASON_UNIT = 1 / 4096  # of the means kept as whole numbers
SEASON_VISITS = 30  # an hour's mean forgets what is so many visits old
SEASON_TRIAL, LONG_TRIAL = 8 * DAY, 29 * DAY  # after which a season must be likely, and certain, or there is none
SEASON_SPREAD = 50.0  # scores as if which an hour had had the spread of all hours
SEASON_PAIRS, SEASON_UNDECIDED = 12, 24  # visits foretold from which there is evidence at all, and enough to judge by
SEASON_LIKELY, SEASON_CERTAIN = 1.0, 3.0  # t of the hours' foretelling
DAY_DIFFERS = 2.0  # t from which a first Saturday was unlike the weekdays, so that Sunday is measured by it
SEASON_RESIDUALS = 200.0  # residuals from which their own moments are used
NO_SEASON_YET, ON_TRIAL, WITHOUT_SEASON = 0, 1, 2
NEARLY_CONSTANT = 0.1  # variance of the warm-up's scores below which there is no correlation to learn (1 without ties)


@compiled
def learn_cells(sample: NDArray[np.float64], edges: NDArray[np.float32], weights: NDArray[np.float32]) -> None:
    """Cut a warm-up sample into cells at `CUTS`, never inside a tie, and give each cell its spacings as weight.

    What is less than the least value, or greater than the greatest, has a cell of its own, with half a value as weight.
    """
    ordered = np.sort(sample)
    n = len(ordered)
    edges[:] = np.inf
    weights[:] = 0.0
    start = 0
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
        edge = np.float32(between(float(low), float(high)))
        if not (low < edge <= high) or cells >= CELLS - 2:
            continue  # not told apart in single precision
        edges[cells] = edge
        weights[cells] = boundary - start
        cells += 1
        start = boundary
    weights[cells] = n - start
    edges[cells] = np.nextafter(np.float32(ordered[n - 1]), np.float32(np.inf))
    if edges[cells] <= ordered[n - 1]:
        edges[cells] = np.nextafter(edges[cells], np.float32(np.inf))
    cells += 1
    weights[0] += 0.5
    weights[cells] += 0.5


@compiled
def find_cell(edges: NDArray[np.float32], value: float) -> int:
    """Index of the cell that holds `value`."""
    return int(np.searchsorted(edges, value, side="right"))


@compiled
def ranks_of(weights: NDArray[np.float32], cell: int) -> tuple[float, float]:
    """Ranks (in 0..1) between which `cell` lies under the predictive law that `weights` give."""
    below, above = 0.0, 0.0
    for k in range(cell):
        below += weights[k]
    for k in range(cell + 1, CELLS):
        above += weights[k]
    upto = below + weights[cell]
    return below / (upto + above), upto / (upto + above)


@compiled
def score_of(weights: NDArray[np.float32], cell: int) -> float:
    """Normal score of `cell` under the predictive law that `weights` give."""
    return cell_score(*ranks_of(weights, cell))


@compiled
def add(moments: NDArray[np.float32], x: float, last: float) -> None:
    """Take a value into n and the sums of x, x squared, and the squared difference of neighbours."""
    moments[0] += 1.0
    moments[1] += x
    moments[2] += x * x
    moments[3] += (x - last) ** 2
    if moments[0] > RESCALE_AT:
        moments[:] = moments * np.float32(0.5)


@compiled
def season_bin(hour: int) -> int:
    """Bin of an hour since 1970, which began on a Thursday."""
    return hour % 24 + (24 if (hour // 24 + 3) % 7 >= 5 else 0)


@compiled
def evidence(season: Season) -> float:
    """How surely hours foretell their next visits: a t statistic; 0 while too few were foretold."""
    told = season.foretold
    return told[1] / math.sqrt(told[2]) if told[0] >= SEASON_PAIRS and told[2] > 0.0 else 0.0


@compiled
def close_visit(season: Season) -> None:
    """Take the hour that has ended into its mean, and note how well that mean had foretold it."""
    if season.n == 0:
        return
    seen = season.total / season.n
    b = season_bin(season.hour)
    known = b if season.visits[b] > 0 else (b + 24) % SEASON_BINS
    if season.visits[known] > 0:
        level = season.level[1] / season.level[0]
        x = season.means[known] * SEASON_UNIT - level
        y = seen - level
        season.foretold[0] += 1.0
        season.foretold[1] += x * y
        season.foretold[2] += x * y * x * y
    visits = min(int(season.visits[b]) + 1, SEASON_VISITS)
    mean = season.means[b] * SEASON_UNIT
    season.means[b] = round((mean + (seen - mean) / visits) / SEASON_UNIT)
    season.visits[b] = visits
    # How scores of the hour vary: among themselves, or a lone one against the visits before.
    variance = (seen - mean) ** 2 * (visits - 1) / visits
    if season.n > 1:
        variance = (season.squares - season.n * seen * seen) / (season.n - 1)
    if season.n > 1 or visits > 1:
        variance = max(variance, SEASON_UNIT)
        known = season.spread[b] * SEASON_UNIT
        season.spread[b] = math.ceil((known + (variance - known) / (visits if known > 0.0 else 1)) / SEASON_UNIT)
        season.level[2] += 1.0
        season.level[3] += variance
    season.n, season.total, season.squares = 0, 0.0, 0.0


@compiled
def differs(season: Season, b: int) -> bool:
    """Whether the only day so far of the type of bin `b` was unlike the level: Student's t of its hours' means."""
    level = season.level[1] / season.level[0]
    n, off, squares = 0.0, 0.0, 0.0
    for k in range(b - b % 24, b - b % 24 + 24):
        if season.visits[k] > 0:
            n += 1.0
            off += season.means[k] * SEASON_UNIT - level
            squares += (season.means[k] * SEASON_UNIT - level) ** 2
    variance = (squares - off * off / n) / max(n - 1.0, 1.0)
    return n < 6.0 or off * off > DAY_DIFFERS * DAY_DIFFERS * variance * n


@compiled
def visit(season: Season, at: int, score: float, learned: bool) -> tuple[float, float, bool, bool]:
    """Residual of a score, the variance of its error one step ahead, and whether the hour comes for the 1st, or the 2nd time.

    The residual is against the hour's earlier visits, relative to how much the hour varies. All scores of an hour share the
    error of its mean, so for their sum that error counts in full.
    """
    hour = at // HOUR
    if hour != season.hour:
        close_visit(season)
        season.hour = hour
    n = season.level[0]
    level = season.level[1] / max(n, 1.0)
    b = season_bin(hour)
    unknown = season.visits[b] == 0
    if learned or unknown:
        season.n += 1
        season.total += score
        season.squares += score * score
        season.level[0] += 1.0
        season.level[1] += score
    again = season.visits[b] == 1 and differs(season, b)
    if unknown:
        b = (b + 24) % SEASON_BINS
    if season.visits[b] == 0:
        return score - level, 1.0, unknown, again
    spread = 1.0
    if season.spread[b] > 0:  # some hours vary more than others
        usual = season.level[3] / season.level[2]
        scores = n / (season.foretold[0] + 24.0)  # of an hour
        weight, prior = season.visits[b] * scores, SEASON_SPREAD * min(scores / 10.0, 1.0)
        spread = (prior + weight * season.spread[b] * SEASON_UNIT / usual) / (prior + weight)
    return (score - season.means[b] * SEASON_UNIT) / math.sqrt(spread), 1.0 + 1.0 / season.visits[b], unknown, again


@compiled
def observe_continuous(
    state: Table[ContinuousStream],
    seasons: Table[Season],
    pool: NDArray[np.float64],
    ring: NDArray[np.float32],
    slots: NDArray[np.int64],
    values: NDArray[np.float64],
    times: NDArray[np.int64],
    log_thresholds: NDArray[np.float64],
    warm_up: int,
    first_day: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Feed finite `values` in order; return slot and row of each alarm.

    Parameters
    ----------
    seasons : (rows,) Season
        ``state.season_row`` says which row a stream holds.
    pool : (rows, 2, room) float64
        Warm-up samples and their times, room for at least `warm_up`; ``state.buffer_row`` says which row a stream holds. Where
        there are more, every second one stays, and so on.
    ring : (streams, length) float32
        Last whitened scores for the second opinion; length 0 when there is none.
    slots, values, times, log_thresholds : (n,) arrays
        Stream, value, event time in microseconds and ln(threshold) of each observation.
    first_day : int
        So long, in microseconds, does a warm-up last at least: within the first day nothing tells a change from a daily cycle.
    """
    alarm_slots, alarm_rows = np.empty(len(state), np.int64), np.empty(len(state), np.int64)
    alarms = 0
    ratios = np.empty(8)
    bits = ratios.view(np.int64)
    for row in range(len(slots)):
        s = slots[row]
        stream = state[s]
        fetch(state, slots, row)
        x = values[row]
        stream.observations += 1
        stream.recent = shortened(stream.recent + (x - stream.recent) / min(stream.observations, 50), COUNT)
        if stream.phase == ALARMED:
            continue
        if stream.phase == WARMING:
            if stream.reference_n == 0:
                stream.first_at, stream.stride = times[row], 1
            kept, room = pool[stream.buffer_row - 1], pool.shape[2]
            if stream.reference_n == room * stream.stride:  # full: every second one stays
                kept[:, : room // 2] = kept[:, ::2].copy()
                stream.stride *= 2
            if stream.reference_n % stream.stride == 0:
                place = stream.reference_n // stream.stride
                kept[0, place], kept[1, place] = x, times[row]
            stream.reference_n += 1
            stream.reference_sum += x
            if stream.reference_n >= warm_up and abs(times[row] - stream.first_at) >= first_day:
                size = (stream.reference_n - 1) // stream.stride + 1
                sample, sample_times = kept[0, :size], kept[1, :size]
                learn_cells(sample, stream.edges, stream.weights)
                stream.phase = WATCHING
                season = seasons[stream.season_row - 1]
                for k in range(CELLS):
                    season.score[k] = score_of(stream.weights, k) if stream.weights[k] > 0.0 else 0.0
                for i in range(size):
                    z = score_of(stream.weights, find_cell(stream.edges, sample[i]))
                    add(stream.moments, z, stream.score if i > 0 else z)
                    stream.score = z
                    if stream.stride == 1:  # what is left of a dense day's hours says too little of them
                        visit(season, int(sample_times[i]), z, True)
                if stream.moments[2] < NEARLY_CONSTANT * size:
                    stream.moments[3] = np.inf  # no whitening: the first change would look like correlation
                    stream.season = WITHOUT_SEASON
            continue

        weights = stream.weights
        cell = find_cell(stream.edges, x)
        low, high = ranks_of(weights, cell)
        z = cell_score(low, high)

        # While a change is suspected, neither season nor correlation are learned.
        small, large = max(stream.cusum[0], stream.cusum[2]), max(stream.cusum[1], stream.cusum[3])
        calm = small < SMALL_SUSPECTED and large < SUSPECTED
        n, hold, by_season = stream.reference_n, False, False
        moments, last, residual, error = stream.moments, stream.score, z, 1.0
        bottom, top = 0.0, 0.0
        if stream.season == ON_TRIAL:
            season = seasons[stream.season_row - 1]
            residual, error, hold, again = visit(season, times[row], season.score[cell], calm)
            t = evidence(season)
            age = abs(times[row] - stream.first_at)
            if age >= SEASON_TRIAL and t <= (SEASON_LIKELY if age < LONG_TRIAL else SEASON_CERTAIN):
                stream.season = WITHOUT_SEASON
                hold = False
            elif t > SEASON_LIKELY or again or season.foretold[0] < SEASON_UNDECIDED:
                by_season = True
                moments = season.moments if season.moments[0] >= SEASON_RESIDUALS else stream.moments
                last = season.last

        # Whitening: von Neumann's ratio gives the correlation of neighbours; a shift of the mean hardly moves it.
        variance = moments[2] / moments[0] - (moments[1] / moments[0]) ** 2
        correlation = 0.0
        if variance > 0.0:
            correlation = 1.0 - moments[3] / (2.0 * (moments[0] - 1.0) * variance)
            if correlation > 0.0:  # less what chance gives, which would cost 2 % of every shift
                correlation -= (1.0 - correlation * correlation) / (moments[0] * correlation)
            correlation = min(max(correlation, 0.0), 0.9)
        scale = 1.0 - correlation * correlation
        if by_season:  # what the season explains is gone from the spread, and the scores are those of the warm-up
            white = (residual - correlation * last) / math.sqrt(error * max(scale * variance, NEARLY_CONSTANT))
            white = min(max(white, -CLIP), CLIP)
        else:
            width = math.sqrt(scale)
            white = (z - correlation * last) / width
            if correlation <= LOOSE:
                bottom = min(max((quantile(low) - correlation * last) / width, -FARTHEST), FARTHEST)
                top = min(max((quantile(high) - correlation * last) / width, -FARTHEST), FARTHEST)
        z = shortened(z, EVIDENCE)
        if calm:
            add(stream.moments, z, stream.score)
        stream.score = z
        if stream.season == ON_TRIAL:
            season = seasons[stream.season_row - 1]
            if calm and not hold:
                add(season.moments, residual, season.last)
            season.last = residual
        weights[cell] += 1.0
        if weights[cell] > RESCALE_AT:
            for k in range(CELLS):
                weights[k] *= 0.5
        stream.reference_n += 1
        stream.reference_sum += x
        if hold:
            continue
        if ring.shape[1] > 0:
            ring[s, (n - warm_up) % ring.shape[1]] = white

        if by_season or correlation > LOOSE:
            for i in range(4):
                up = math.exp(SHIFTS[i] * white)
                ratios[i], ratios[i + 4] = up * SCALE[i], SCALE[i] / up
        else:
            cell_ratios(bottom, top, ratios)
        total = 0.0
        for i in range(8):
            stream.statistic[i] = (stream.statistic[i] + PARTS[i]) * ratios[i]
            total += stream.statistic[i]
        strongest = 0.0
        second = times[row] - times[row] % SECOND
        for i in range(4):
            level = stream.cusum[i] + logarithm(int(bits[TRACKED[i]]))
            if stream.cusum[i] <= LATER:
                stream.onset_high_at[i] = second
            if stream.onset_low_at[i, DEPTHS - 1] == 0:
                stream.onset_low_at[i, :] = second
            if level <= 0.0:
                stream.cusum[i] = 0.0
                stream.onset_n[i], stream.onset_at[i], stream.onset_sum[i] = 0, 0, 0.0
                stream.onset_depth[i] = shortened(stream.onset_depth[i] - level, TRACKER)
                for _ in range(DEPTHS):
                    if stream.onset_depth[i] >= 0.5 * EARLIER:
                        for j in range(DEPTHS - 1, 0, -1):
                            stream.onset_low_at[i, j] = stream.onset_low_at[i, j - 1]
                        stream.onset_low_at[i, 0] = second
                        stream.onset_depth[i] -= 0.5 * EARLIER
                continue
            if stream.onset_n[i] == 0:
                stream.onset_at[i] = second
            strongest = max(strongest, level)
            stream.cusum[i] = shortened(level, TRACKER)
            stream.onset_n[i] += 1
            stream.onset_sum[i] = shortened(stream.onset_sum[i] + x, COUNT)

        shorten(stream.statistic, DOWN, EVIDENCE)
        said = math.log(total / 8.0) + OVERSHOOT * (1.0 - correlation)
        stream.log_e, stream.threshold = shortened(said * DOWN, EVIDENCE), log_thresholds[row]
        if stream.log_e >= log_thresholds[row] and strongest >= FROM_ONE_ONSET * log_thresholds[row]:
            stream.phase, stream.alarm_at = ALARMED, times[row]
            alarm_slots[alarms], alarm_rows[alarms] = s, row
            alarms += 1
    return alarm_slots[:alarms], alarm_rows[:alarms]

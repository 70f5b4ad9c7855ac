"""Mixes: categories, gathered by run → shares → likelihood ratios since possible changes against the reference mix.

The last step of the flow for sources, tools, paths, argument shapes, models and versions; `detectors.banks` owns the
state and the names of the categories, the kernel sees their codes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import Table, compiled, fetch
from detectors.kernels.mix_state import BUCKETS, CODES, DEPTHS, EXPECTATIONS, MOVES, STARTS, MixStream
from detectors.kernels.short import COUNT, DOWN, EVIDENCE, TRACKER, shorten, shortened

WARMING, WATCHING, ALARMED = 0, 1, 2
NEW, OTHER = 0, 1  # buckets: never seen in warm-up; seen, but rarely
RARE = 3.0  # runs' worth of observations below which a category of the warm-up goes to OTHER
# What a run of the warm-up counts where that also chose the buckets: the chosen ones are overestimated, later runs are not.
CHOSEN = 0.5
LARGE = 0.1  # share from which a category keeps a bucket of its own even where there are too many categories
# Weight of one run in the exponential windows from which the onset trackers estimate the mix after a change.
WINDOWS = np.array([1 / 12, 1 / 48, 1 / 192])
SPACING = 12  # runs after which the youngest group is complete and the next one begins
# What a change is expected to be, each with its part of the statistic: many categories move far, less, a little; few
# move. Runs' worth of the reference mixed into a group's counts. Both chosen by simulation (docs/drift.md).
PRIORS = np.array([14.0, 50.0, 180.0, 25.0])
PARTS = np.array([0.14, 0.175, 0.21, 0.175])
# Or one category moves, at the expense or in favour of all others: to so many times its odds, each with this part.
ODDS = np.array([2.2, 5.0, 0.25])
ALONE = 0.1
# By how much ln(threshold) is overshot at least, by simulation, so that evidence may count as much more.
OVERSHOOT = 0.15
FEW = 3  # the one in which a category keeps its share of before unless it has moved beyond CHANCE
CHANCE = 1.0  # square of the standardised move that chance alone gives on average
TINY = 1e-30  # keeps a square above zero
ROOM = 7  # rows of what is worked out of all groups at a time
RUNS, HEARD, NEAR, RARER, WHOLE, RATIO, FEW_RATIO = range(ROOM)
# Part of ln(threshold) that must come from one change point: the sum over all of them reaches any threshold in time.
FROM_ONE_ONSET = 0.5
# An onset's interval goes from the first start whose log likelihood is within EARLIER of the likeliest one's to the last one
# within LATER: what covers the change in 90 % of simulations (docs/drift.md).
EARLIER, LATER = 6.0, 1.5
SECOND = 1_000_000  # microseconds; onsets are dated by the second
RESCALE_AT = 2.0**20  # weight of the reference from which it counts half, so that a run still adds to it
# What each onset tracker loses a run: without it, the learning of a wide window keeps trackers above zero for hours
# before a change, and the onset comes out too early.
LOSS = np.array([0.08, 0.02, 0.005])
CAUTION = 0.15  # share of the reference mixed into every window: bounds what one run can say against it


@compiled
def learn_buckets(stream: MixStream) -> None:
    """Give the frequent codes of the warm-up a bucket each, the rest `OTHER`, and weigh the buckets.

    Where there are more frequent codes than buckets, the large ones keep theirs and the others share the remaining ones
    by turns: picking the most frequent would pick the overestimated ones, and a stationary mix would seem to move. The
    weight of `NEW` is Good's (1953): what was seen once foretells what was not seen yet.
    """
    shares = stream.code_shares
    weights = stream.weights
    weights[:] = 0.0
    stream.bucket[:] = NEW
    frequent = 0
    large = 0
    for code in range(CODES - 1):
        frequent += shares[code] >= RARE
        large += shares[code] >= LARGE * stream.units
    crowded = frequent > BUCKETS - 2
    chosen = crowded
    own = 2
    turn = 0
    seen_once = 0.0
    for code in range(CODES):
        if shares[code] <= 0.0:
            continue
        if shares[code] < RARE or code == CODES - 1:
            bucket = OTHER
            chosen = True
            if shares[code] <= 1.0:
                seen_once += 1.0
        elif crowded and shares[code] < LARGE * stream.units:
            bucket = 2 + large + turn % (BUCKETS - 2 - large)
            turn += 1
        else:
            bucket = own
            own += 1
        stream.bucket[code] = bucket
        weights[bucket] += shares[code]
    total = 0.0
    for k in range(BUCKETS):
        if weights[k] > 0.0 or k == OTHER:
            weights[k] += 0.5
        elif k == NEW:
            weights[k] = 0.5 + seen_once
        total += weights[k]
    if chosen:
        for k in range(BUCKETS):
            weights[k] *= CHOSEN
        total *= CHOSEN
    for j in range(3):
        for k in range(BUCKETS):
            stream.window[k, j] = weights[k] / total
    shares[:] = 0.0


@compiled
def begin_group(stream: MixStream, used: int) -> None:
    """Begin the youngest group; where there is no room, first join the two neighbours that are nearest in age.

    What two groups have gathered is added up; the counts that go on are those of the one that says more.
    """
    if stream.starts == STARTS:
        join = 0
        for i in range(1, STARTS - 1):
            if stream.start_n[i] * stream.start_n[join + 1] < stream.start_n[join] * stream.start_n[i + 1]:
                join = i
        younger = stream.statistic[:, join + 1].sum() > stream.statistic[:, join].sum()
        stream.statistic[:, join] += stream.statistic[:, join + 1]
        if younger:
            stream.start_n[join] = stream.start_n[join + 1]
            stream.start_shares[:used, join] = stream.start_shares[:used, join + 1]
        for i in range(join + 1, STARTS - 1):
            stream.start_n[i] = stream.start_n[i + 1]
            stream.statistic[:, i] = stream.statistic[:, i + 1]
        for k in range(used):
            for i in range(join + 1, STARTS - 1):
                stream.start_shares[k, i] = stream.start_shares[k, i + 1]
        stream.starts -= 1
    stream.start_n[stream.starts] = 0
    stream.start_shares[:used, stream.starts] = 0.0
    stream.statistic[:, stream.starts] = 0.0
    stream.starts += 1


@compiled
def weigh_starts(
    stream: MixStream,
    reference: NDArray[np.float64],
    shares: NDArray[np.float64],
    used: int,
    total_weight: float,
    room: NDArray[np.float64],
) -> float:
    """Take the open run, of `shares`, into every group; return the statistic.

    The reference has seen the runs since a change point too, so what `runs` of them can tell is that of `heard`.

    Parameters
    ----------
    reference, shares : (BUCKETS,) float64
        Mix of the reference, and of the run; 0 from bucket `used` on.
    room : (ROOM, STARTS) float64
        To work in: loops over all groups, and without branches, are what the processor does several of at a time.
    """
    if stream.starts == 0 or stream.start_n[stream.starts - 1] >= SPACING:
        begin_group(stream, used)
    for c in range(EXPECTATIONS):
        stream.statistic[c, stream.starts - 1] += 1.0
    for i in range(STARTS):
        runs = float(stream.start_n[i]) if i < stream.starts else 0.0
        room[RUNS, i] = runs
        room[HEARD, i] = runs * (1.0 - runs / total_weight)
        room[NEAR, i] = 1.0 / (room[HEARD, i] + PRIORS[FEW])
        room[RARER, i] = 1.0 / max(runs, 1.0)
        room[WHOLE, i] = 1.0  # Σ expected, where few move
        room[RATIO, i] = 0.0  # Σ share · move / reference
        room[FEW_RATIO, i] = 0.0  # Σ share · expected / reference, where few move
    for k in range(used):
        before = reference[k]
        for i in range(STARTS):
            move = stream.start_shares[k, i] * room[RARER, i] - before
            square = move * move + TINY
            beyond = max(room[HEARD, i] * square - CHANCE * before, 0.0)
            room[WHOLE, i] += room[NEAR, i] * beyond * move / square
        if shares[k] > 0.0:
            share = shares[k] / before
            kept = share * before
            for i in range(STARTS):
                move = stream.start_shares[k, i] * room[RARER, i] - before
                square = move * move + TINY
                beyond = max(room[HEARD, i] * square - CHANCE * before, 0.0)
                room[RATIO, i] += share * move
                room[FEW_RATIO, i] = room[FEW_RATIO, i] + kept + share * room[NEAR, i] * beyond * move / square
            for i in range(stream.starts):
                stream.start_shares[k, i] = shortened(stream.start_shares[k, i] + shares[k], COUNT)
    for c in range(EXPECTATIONS):
        for i in range(STARTS):
            if c == FEW:
                e = room[FEW_RATIO, i] / room[WHOLE, i]
            else:
                e = 1.0 + room[RATIO, i] * room[HEARD, i] / (room[HEARD, i] + PRIORS[c])
            stream.statistic[c, i] *= e if room[RUNS, i] > 0.0 else 1.0
    total = 0.0
    for i in range(stream.starts):
        for c in range(EXPECTATIONS):
            total += PARTS[c] * stream.statistic[c, i]
        stream.start_n[i] += 1
    return total


@compiled
def weigh_categories(
    stream: MixStream, reference: NDArray[np.float64], shares: NDArray[np.float64], used: int
) -> float:
    """Take the open run, of `shares`, into the statistics of one category that moved; return their part.

    Each is that of a rate, the share of one bucket, as `detectors.kernels.rate` has them.
    """
    total = 0.0
    for j in range(MOVES):
        more = ODDS[j] - 1.0
        for k in range(used):
            e = (1.0 + shares[k] * more) / (1.0 + reference[k] * more)
            level = (stream.alone[j, k] + 1.0) * e
            stream.alone[j, k] = level
            total += level
    return ALONE * total / used


@compiled
def from_one_onset(stream: MixStream, total_weight: float, needed: float) -> bool:
    """Tell whether some change point's likelihood ratio exceeds `needed` beyond what estimating the shares gives by chance.

    It is that of two multinomials against one; chance gives half a degree of freedom's worth for each category but one.
    """
    for i in range(stream.starts):
        after = float(stream.start_n[i])
        before = total_weight - after
        level = 0.5
        for k in range(BUCKETS):
            if stream.weights[k] > 0.0:
                level -= 0.5
                now = stream.start_shares[k, i]
                if now > 0.0:
                    level += now * math.log(now / after * total_weight / stream.weights[k])
                then = stream.weights[k] - now
                if then > 0.0:
                    level += then * math.log(then / before * total_weight / stream.weights[k])
        if level >= needed:
            return True
    return False


@compiled
def close_run(
    stream: MixStream,
    room: NDArray[np.float64],
    reference: NDArray[np.float64],
    shares: NDArray[np.float64],
    ring: NDArray[np.float32],
    s: int,
    log_threshold: float,
    warm_up: int,
) -> bool:
    """Take the open run of stream `s` into the statistic and the reference; True when that raises an alarm.

    `room` (ROOM, STARTS), `reference` and `shares` (BUCKETS,) are to work in.
    """
    n = stream.run_n
    counts = stream.run_counts
    stream.run_n = 0
    stream.reference_n += n
    stream.units += 1
    if stream.phase == WARMING:
        for code in range(CODES):
            stream.code_shares[code] += counts[code] / n
            counts[code] = 0.0
        if stream.units == warm_up:
            learn_buckets(stream)
            stream.phase = WATCHING
        return False

    weights = stream.weights
    used = BUCKETS  # buckets are given out in order
    while weights[used - 1] <= 0.0:
        used -= 1
    total_weight = 0.0
    for k in range(used):
        total_weight += weights[k]
    for k in range(used):
        reference[k] = weights[k] / total_weight
        shares[k] = counts[k] / n
    statistic = weigh_starts(stream, reference, shares, used, total_weight, room)
    statistic += weigh_categories(stream, reference, shares, used)
    score = 0.0
    dated = False
    for j in range(3):
        ratio = 0.0
        for k in range(used):
            if shares[k] > 0.0:
                ratio += shares[k] * stream.window[k, j] / reference[k]
        e = CAUTION + (1.0 - CAUTION) * ratio
        step = math.log(e)
        score += step / 3.0
        level = stream.cusum[j] + step - LOSS[j]
        if stream.cusum[j] <= LATER:
            stream.onset_high_at[j] = stream.run_at
        if stream.onset_low_at[j, DEPTHS - 1] == 0:
            stream.onset_low_at[j, :] = stream.run_at
        if level <= 0.0:
            if stream.onset_n[j] > 0:
                stream.onset_shares[:used, j] = 0.0
            stream.cusum[j] = 0.0
            stream.onset_n[j] = 0
            stream.onset_units[j] = 0
            stream.onset_at[j] = 0
            stream.onset_depth[j] -= level
            for _ in range(DEPTHS):
                if stream.onset_depth[j] >= 0.5 * EARLIER:
                    for d in range(DEPTHS - 1, 0, -1):
                        stream.onset_low_at[j, d] = stream.onset_low_at[j, d - 1]
                    stream.onset_low_at[j, 0] = stream.run_at
                    stream.onset_depth[j] -= 0.5 * EARLIER
            continue
        if stream.onset_n[j] == 0:
            stream.onset_at[j] = stream.run_at
            stream.onset_shares[:used, j] = 0.0
        dated = True
        stream.cusum[j] = level
        stream.onset_n[j] += n
        stream.onset_units[j] += 1
        for k in range(used):
            if shares[k] > 0.0:
                stream.onset_shares[k, j] = shortened(stream.onset_shares[k, j] + shares[k], COUNT)
    if ring.shape[1] > 0:
        ring[s, (stream.units - 1 - warm_up) % ring.shape[1]] = score
    for k in range(used):
        if shares[k] > 0.0:
            counts[k] = 0.0
            weights[k] += shares[k]
        for j in range(3):
            moved = stream.window[k, j] + WINDOWS[j] * (shares[k] - stream.window[k, j])
            stream.window[k, j] = shortened(moved, EVIDENCE)
    if total_weight > RESCALE_AT:
        for k in range(used):
            weights[k] *= 0.5
    for c in range(EXPECTATIONS):
        shorten(stream.statistic[c], DOWN, EVIDENCE)
    for j in range(MOVES):
        shorten(stream.alone[j, :used], DOWN, EVIDENCE)
    shorten(stream.cusum, 1.0, TRACKER)
    shorten(stream.onset_depth, 1.0, TRACKER)
    stream.log_e = shortened((math.log(statistic) + OVERSHOOT) * DOWN, EVIDENCE)
    stream.threshold = log_threshold
    if stream.log_e < log_threshold or not dated:
        return False
    return from_one_onset(stream, total_weight + 1.0, FROM_ONE_ONSET * log_threshold)


@compiled
def observe_mix(
    state: Table[MixStream],
    ring: NDArray[np.float32],
    slots: NDArray[np.int64],
    codes: NDArray[np.int64],
    runs: NDArray[np.uint64],
    times: NDArray[np.int64],
    log_thresholds: NDArray[np.float64],
    warm_up: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Feed category `codes` in order (-1: not seen in warm-up); return slot and row of each alarm.

    Neighbouring observations of one run (same number in `runs`, not 0) are one unit, closed by the next run's first.
    """
    alarm_slots = np.empty(len(state), np.int64)
    alarm_rows = np.empty(len(state), np.int64)
    room, reference, shares = np.empty((ROOM, STARTS)), np.empty(BUCKETS), np.empty(BUCKETS)
    alarms = 0
    for row in range(len(slots)):
        s = slots[row]
        fetch(state, slots, row)
        stream = state[s]
        stream.observations += 1
        if stream.phase == ALARMED:
            continue
        closes = stream.run_n > 0 and (runs[row] != stream.run or runs[row] == 0)
        if closes and close_run(stream, room, reference, shares, ring, s, log_thresholds[row], warm_up):
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
        code = codes[row]
        if stream.phase == WATCHING:
            code = NEW if code < 0 else stream.bucket[code]
        stream.run_counts[code] += 1.0
    return alarm_slots[:alarms], alarm_rows[:alarms]

"""What a mix's kernel keeps of it: the stream's record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CODES = 64  # categories told apart in warm-up; the last code takes the overflow
BUCKETS = 16
# Change points looked at, in groups that get coarser with age: each group has the counts of its runs.
STARTS = 6
EXPECTATIONS = 4  # of what a change is, for each of the groups
MOVES = 3  # of one category against all others, for each bucket
DEPTHS = 3  # times kept of how the path fell to its minimum, one per EARLIER / 2 of depth


class MixStream:
    """One stream's record, as `LAYOUT` has it; arrays have the shape in brackets.

    A unit is a run: its observations may depend on each other. Buckets are given out in order and most mixes use few: what there
    is of each stands together, so that a run touches only the memory of those in use.
    """

    phase: int
    observations: int
    units: int
    run: int  # the open run, 0 when unknown
    run_n: int
    run_at: int
    run_counts: NDArray[np.float32]  # (CODES,): of the open run, by code in warm-up, by bucket afterwards
    code_shares: NDArray[np.float32]  # (CODES,): warm-up only, sum over runs of the share of each code
    bucket: NDArray[np.uint8]  # (CODES,): bucket of each code
    weights: NDArray[np.float32]  # (BUCKETS,): Dirichlet weight of each bucket
    window: NDArray[np.float32]  # (BUCKETS, 3): shares over the exponential windows
    starts: int  # groups of change points in use, oldest first
    start_n: NDArray[np.int32]  # (STARTS,): runs since each group's change point
    start_shares: NDArray[np.float32]  # (BUCKETS, STARTS): sum over those runs
    statistic: NDArray[np.float32]  # (EXPECTATIONS, STARTS): sum over the group's change points
    alone: NDArray[np.float32]  # (MOVES, BUCKETS): sum over all change points, one category having moved
    cusum: NDArray[np.float32]  # (3,): onset trackers, one per window
    onset_n: NDArray[np.int32]  # (3,): observations since the tracker left zero
    onset_units: NDArray[np.int32]  # (3,): runs since then
    onset_at: NDArray[np.int64]  # (3,)
    onset_shares: NDArray[np.float32]  # (BUCKETS, 3): sum over those runs
    onset_depth: NDArray[np.float32]  # (3,): how far the path fell below the last multiple of EARLIER / 2
    onset_low_at: NDArray[np.int64]  # (3, DEPTHS): when it first fell that deep, and one and two multiples less
    onset_high_at: NDArray[np.int64]  # (3,): after the last time that the tracker stood at LATER or below
    reference_n: int
    log_e: float
    threshold: float
    alarm_at: int


LAYOUT: dict[str, tuple[tuple[int, ...], str]] = {
    "phase": ((), "u1"), "observations": ((), "i8"), "units": ((), "i8"), "run": ((), "u8"), "run_n": ((), "i4"),
    "run_at": ((), "i8"), "run_counts": ((CODES,), "f4"), "code_shares": ((CODES,), "f4"), "bucket": ((CODES,), "u1"),
    "weights": ((BUCKETS,), "f4"), "window": ((BUCKETS, 3), "f4"), "starts": ((), "u1"), "start_n": ((STARTS,), "i4"),
    "start_shares": ((BUCKETS, STARTS), "f4"), "statistic": ((EXPECTATIONS, STARTS), "f4"),
    "alone": ((MOVES, BUCKETS), "f4"), "cusum": ((3,), "f4"),
    "onset_n": ((3,), "i4"), "onset_units": ((3,), "i4"), "onset_at": ((3,), "i8"),
    "onset_shares": ((BUCKETS, 3), "f4"), "onset_depth": ((3,), "f4"), "onset_low_at": ((3, DEPTHS), "i8"),
    "onset_high_at": ((3,), "i8"),
    "reference_n": ((), "i8"), "log_e": ((), "f4"), "threshold": ((), "f8"), "alarm_at": ((), "i8"),
}  # fmt: skip

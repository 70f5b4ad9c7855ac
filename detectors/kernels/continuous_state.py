"""What a continuous stream's kernel keeps of it: the stream's record, and its season's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CELLS = 16
DEPTHS = 3  # times kept of how the path fell to its minimum, one per EARLIER / 2 of depth
SEASON_BINS = 48  # hours of a weekday, hours of a day of the weekend (UTC)


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
    onset_sum: NDArray[np.float32]  # (4,): sum of the values since then
    onset_depth: NDArray[np.float32]  # (4,): how far the path fell below the last multiple of EARLIER / 2
    onset_low_at: NDArray[np.int64]  # (4, DEPTHS): when it first fell that deep, and one and two multiples less
    onset_high_at: NDArray[np.int64]  # (4,): after the last time that the tracker stood at LATER or below
    reference_n: int
    reference_sum: float
    recent: float  # exponentially weighted mean of the last values
    score: float  # last normal score, for whitening
    moments: NDArray[np.float32]  # (4,): n, sums of score, score squared, squared difference of neighbours
    log_e: float
    threshold: float
    alarm_at: int
    first_at: int
    stride: int  # warm-up only: every how many values one is kept
    season: int  # NO_SEASON_YET, ON_TRIAL (or certain: the row is kept), WITHOUT_SEASON
    season_row: int  # row of the seasons plus 1, 0 when none is held


class Season:
    """What the hours of a stream are like; scores as the warm-up's cells have them, so without a unit."""

    score: NDArray[np.float32]  # (CELLS,): of each cell, as they were when the warm-up ended
    means: NDArray[np.int16]  # (SEASON_BINS,): mean over its visits of an hour's mean score, in SEASON_UNIT
    spread: NDArray[
        np.int16
    ]  # (SEASON_BINS,): mean variance of an hour's scores within a visit, in SEASON_UNIT; 0 is unknown
    visits: NDArray[np.uint8]  # (SEASON_BINS,)
    hour: int  # hour under way, since 1970
    n: int  # its scores' number, sum and sum of squares
    total: float
    squares: float
    level: NDArray[np.float64]  # (4,): number and sum of all scores; number of visits with a variance, and its sum
    foretold: NDArray[np.float64]  # (3,): n, sums of x y and (x y) squared: an hour's mean before and at a visit
    moments: NDArray[np.float32]  # (4,): of the residuals, as those of the stream are of its scores
    last: float  # last residual


SEASON_LAYOUT: dict[str, tuple[tuple[int, ...], str]] = {
    "score": ((CELLS,), "f4"), "means": ((SEASON_BINS,), "i2"),
    "spread": ((SEASON_BINS,), "i2"), "visits": ((SEASON_BINS,), "u1"), "hour": ((), "i8"),
    "n": ((), "i4"), "total": ((), "f8"),
    "squares": ((), "f8"), "level": ((4,), "f8"), "foretold": ((3,), "f8"), "moments": ((4,), "f4"),
    "last": ((), "f4"),
}  # fmt: skip
LAYOUT: dict[str, tuple[tuple[int, ...], str]] = {
    "phase": ((), "u1"), "observations": ((), "i8"), "buffer_row": ((), "i4"), "edges": ((CELLS - 1,), "f4"),
    "weights": ((CELLS,), "f4"), "statistic": ((8,), "f4"), "cusum": ((4,), "f4"), "onset_n": ((4,), "i4"),
    "onset_at": ((4,), "i8"), "onset_sum": ((4,), "f4"), "onset_depth": ((4,), "f4"), "onset_low_at": ((4, DEPTHS), "i8"),
    "onset_high_at": ((4,), "i8"), "reference_n": ((), "i8"), "reference_sum": ((), "f8"), "recent": ((), "f4"),
    "score": ((), "f4"), "moments": ((4,), "f4"), "log_e": ((), "f4"), "threshold": ((), "f8"),
    "alarm_at": ((), "i8"), "first_at": ((), "i8"), "stride": ((), "i4"), "season": ((), "u1"), "season_row": ((), "i4"),
}  # fmt: skip

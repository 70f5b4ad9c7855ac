"""First alarms to figures: average run length with its interval, delays with censoring, misses, onset error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats


@dataclass(frozen=True, slots=True)
class Alarms:
    """First alarm of each stream (-1 none) and its estimated onset (NaN unknown), over `observations` each."""

    first: NDArray[np.int64]
    onset: NDArray[np.float64]
    observations: int


def run_length(alarms: Alarms, skip: int = 0) -> dict[str, Any]:
    """Estimate the ARL0 by exponential run lengths, censored at the end, with a 95 % interval (chi-square).

    `skip` observations of warm-up, in which a detector can't alarm, are no exposure.
    """
    ended = np.where(alarms.first < 0, alarms.observations, alarms.first + 1)
    exposure, count = float(np.maximum(ended - skip, 0).sum()), int((alarms.first >= 0).sum())
    low = 2 * exposure / stats.chi2.ppf(0.975, 2 * count + 2)
    high = 2 * exposure / stats.chi2.ppf(0.025, 2 * count) if count else None
    return {
        "alarms": count,
        "observations": exposure,
        "arl": exposure / count if count else None,
        "low": float(low),
        "high": None if high is None else float(high),
        "per_10000": 1e4 * count / exposure,
    }


def delays(alarms: Alarms, change: int) -> dict[str, Any]:
    """Median and p90 delay (observations after the change) over streams without an earlier alarm.

    A stream without an alarm is censored at its end: a quantile that falls among those is null, never the limit.
    """
    early = (alarms.first >= 0) & (alarms.first < change)
    first = alarms.first[~early]
    missed = first < 0
    delay = np.sort(np.where(missed, np.inf, first - change + 1.0))
    error = np.abs(alarms.onset[~early][~missed] - change)
    known = error[np.isfinite(error)]
    return {
        "streams": len(alarms.first),
        "early": int(early.sum()),
        "median": _quantile(delay, 0.5),
        "p90": _quantile(delay, 0.9),
        "miss_rate": float(missed.mean()) if len(first) else None,
        "onset_error_median": float(np.median(known)) if len(known) else None,
    }


def _quantile(ordered: NDArray[np.float64], share: float) -> float | None:
    if len(ordered) == 0:
        return None
    value = float(ordered[min(len(ordered) - 1, int(np.ceil(share * len(ordered))) - 1)])
    return value if np.isfinite(value) else None

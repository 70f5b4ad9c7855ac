"""When runs start: a Poisson process whose rate follows the hour and the day of the week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BUCKET = 300_000_000
"""The rate is constant for this long, in microseconds (5 minutes)."""
_WEEK = 7 * 24 * 12
_WEEKEND = 0.45
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday


def week_profile() -> NDArray[np.float64]:
    """Return the rate of each 5-minute bucket of a week from Monday 00:00 UTC, relative to its mean; (2016,) float64.

    Office hours with a broad peak in the early afternoon, a third of the mean at night, weekends at 45 %.
    """
    hour = np.arange(_WEEK) % 288 / 12
    day = 1 + 0.65 * np.cos((hour - 14) / 24 * 2 * np.pi) + 0.2 * np.cos((hour - 14) / 12 * 2 * np.pi)
    rates = day * np.where(np.arange(_WEEK) // 288 >= 5, _WEEKEND, 1.0)
    return rates / rates.mean()


def size_factor(started: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how many times the usual size a run's first prompt has, by its start in microseconds since 1970.

    A quarter more in the early afternoon and a quarter less at night, 30 % more on weekends (fewer requests, harder
    ones).

    Examples
    --------
    >>> monday = 4 * 86_400_000_000  # 1970-01-05
    >>> size_factor(np.array([monday + 14 * 3_600_000_000, monday + 2 * 3_600_000_000])).tolist()
    [1.25, 0.75]
    """
    bucket = started // BUCKET + _EPOCH_WEEKDAY * 288
    hour = bucket % 288 / 12
    weekend = bucket % _WEEK // 288 >= 5
    return (1 + 0.25 * np.cos((hour - 14) / 24 * 2 * np.pi)) * np.where(weekend, 1.3, 1.0)


@dataclass(frozen=True, slots=True)
class Slice:
    """A stretch of simulated time that is generated at once; whole buckets, never across midnight UTC of the start."""

    index: int
    day: int
    first: int
    buckets: int


def slices(buckets: int, spans_per_bucket: float, target_spans: int) -> list[Slice]:
    """Cut the simulated time so that a slice holds about ``target_spans`` spans at most, and no more than a day."""
    size = int(np.clip(target_spans // max(1, int(spans_per_bucket * 1.8)), 1, 288))
    cut: list[Slice] = []
    for day_start in range(0, buckets, 288):
        for first in range(day_start, min(day_start + 288, buckets), size):
            cut.append(Slice(len(cut), day_start // 288, first, min(size, day_start + 288 - first, buckets - first)))
    return cut


def arrivals(
    rates: NDArray[np.float64], start: int, part: Slice, rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the runs that start in a slice.

    Parameters
    ----------
    rates : (workflows,) float64
        Mean runs per bucket of each workflow.
    start : int
        Start of the simulation in microseconds since 1970.

    Returns
    -------
    workflow : (runs,) int32
        Index into ``rates``; ascending.
    started : (runs,) int64
        Microseconds since 1970, ascending within a workflow.
    """
    first = start // BUCKET + part.first + _EPOCH_WEEKDAY * 288
    buckets = np.arange(first, first + part.buckets)
    counts = rng.poisson(rates[:, None] * week_profile()[buckets % _WEEK])
    cells = np.repeat(np.arange(counts.size), counts.ravel())
    workflow, bucket = np.divmod(cells, part.buckets)
    started = start + (part.first + bucket) * BUCKET + rng.integers(0, BUCKET, len(cells))
    order = np.lexsort((started, workflow))
    return workflow[order].astype(np.int32), started[order]

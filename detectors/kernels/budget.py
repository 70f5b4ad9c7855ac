"""The alarm budget: ln(observations of the fleet a week / alarms allowed a week), observation by observation.

Runs before the banks, over all streams together. The rate comes from event time, so a replay meets the same thresholds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import compiled

WEEK = 7
LEAST_THRESHOLD = 100.0
ASTRAY = 100  # observations in a row more than a week away after which the calendar follows them


class BudgetState(NamedTuple):
    """What the fleet has sent: one row, so that it is encoded like the banks."""

    day: NDArray[np.int64]  # (1,): the day under way, in days since 1970
    today: NDArray[np.int64]  # (1,): observations in it
    completed: NDArray[np.int64]  # (1,): completed days so far
    recent: NDArray[np.int64]  # (1, 7): observations of the last completed days
    astray: NDArray[np.int64]  # (1,): observations in a row that are more than a week away


LAYOUT: dict[str, tuple[tuple[int, ...], str]] = {
    "day": ((), "i8"), "today": ((), "i8"), "completed": ((), "i8"), "recent": ((WEEK,), "i8"),
    "astray": ((), "i8"),
}  # fmt: skip


@compiled
def fleet_log_thresholds(
    state: BudgetState, days: NDArray[np.int64], alarms_per_week: float, start_per_week: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Give ln(threshold) for each observation, `days` being its event day, and how many days had completed before it.

    The week is seven times the busiest of the last seven completed days and of today so far: a quiet day, or a few
    observations with a broken clock, can't lower the threshold. Until two days have completed `start_per_week` is the
    least. Observations more than a week away count for the day under way; only a row of them moves the calendar.
    """
    result = np.empty(len(days), np.float64)
    completed = np.empty(len(days), np.int64)
    for row in range(len(days)):
        day = days[row]
        if state.today[0] == 0 and state.completed[0] == 0:
            state.day[0] = day
        ahead = day - state.day[0]
        if abs(ahead) > WEEK:
            state.astray[0] += 1
            if state.astray[0] >= ASTRAY:
                state.day[0] = day
                state.today[0] = 0
        else:
            state.astray[0] = 0
            if ahead > 0:
                state.recent[0, state.completed[0] % WEEK] = state.today[0]
                state.completed[0] += 1
                state.day[0] = day
                state.today[0] = 0
        state.today[0] += 1
        busiest = state.today[0]
        for k in range(WEEK):
            busiest = max(busiest, state.recent[0, k])
        per_week = float(WEEK * busiest)
        if state.completed[0] < 2:
            per_week = max(per_week, start_per_week)
        result[row] = math.log(max(per_week / alarms_per_week, LEAST_THRESHOLD))
        completed[row] = state.completed[0]
    return result, completed

"""What changed near an onset: versions, models and prices, ranked by how well they tell before from after. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

#: What may be the cause, by column of the runs. Of those that moved together the first is named: a release carries the others.
CANDIDATES = (
    "release",
    "prompt_version",
    "policy_version",
    "request_model",
    "agent_version",
    "tool_version",
    "price_id",
)
#: A candidate that moved fewer runs than this is not listed, and one below the second is not called the likely cause.
_LEAST_LISTED, _LEAST_LIKELY = 0.2, 0.5
#: Scores this close are a tie.
_TIE = 0.1
#: So many runs before a change say what it replaced.
_LAST_RUNS = 30
#: A change this far from the onset counts half; slow detection dates the onset less well, so it grows with the delay.
_LEAST_REACH = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Onset:
    """When a change began, between which times that may lie, and when it was noticed (UTC)."""

    at: datetime
    low_at: datetime
    high_at: datetime
    alarm_at: datetime

    def distance(self, moment: datetime) -> timedelta:
        """Return how far a moment lies outside the onset's interval; zero within it."""
        if moment < self.low_at:
            return self.low_at - moment
        return max(moment - self.high_at, timedelta())


def ranked(runs: pl.DataFrame, onset: Onset, *, leave_out: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return what changed near the onset, the likeliest cause first.

    Parameters
    ----------
    runs : pl.DataFrame
        closed_at, is_after (bool), and a String column for each of `CANDIDATES`: runs around the onset.
    leave_out : tuple of str
        Candidates that can't explain this signal.

    Returns
    -------
    list of dict
        attribute, before and after (values; before is None where there was none), changed_at (the time that splits the runs
        with the new value from those without it best), separates and score. separates is Youden's J of "runs with the new
        value are after the onset": the share of them after it, less that before it. score is separates times the closeness
        of the change to the onset: 1 within the onset's interval, half when it is as far off as the detection took.
    """
    runs = runs.sort("closed_at")
    if runs.is_empty() or runs["is_after"].n_unique() < 2:
        return []
    found = [_candidate(runs, name, onset) for name in CANDIDATES if name in runs.columns and name not in leave_out]
    return ordered([each for each in found if each is not None])


def ordered(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the causes by score; of the best ones that tie, the one of the first candidate leads."""
    rest = sorted(found, key=lambda each: (-each["score"], _place(each)))
    if not rest:
        return []
    best = min((each for each in rest if each["score"] >= rest[0]["score"] - _TIE), key=_place)
    return [best, *(each for each in rest if each is not best)]


def likely(causes: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the first cause, if it moved enough runs to be named; None where nothing did."""
    return causes[0] if causes and causes[0]["separates"] >= _LEAST_LIKELY else None


def _place(cause: dict[str, Any]) -> int:
    return CANDIDATES.index(cause["attribute"]) if cause["attribute"] in CANDIDATES else -1


def _candidate(runs: pl.DataFrame, name: str, onset: Onset) -> dict[str, Any] | None:
    shares = (
        runs.select("is_after", value=pl.col(name))
        .group_by("value")
        .agg(after=pl.col("is_after").sum(), before=(~pl.col("is_after")).sum())
        .with_columns(
            moved=pl.col("after") / pl.lit(runs["is_after"].sum())
            - pl.col("before") / pl.lit((~runs["is_after"]).sum())
        )
    )
    # Unknown explains nothing: a value must have come.
    risen = shares.drop_nulls("value").sort("moved", "value", descending=[True, False])
    if risen.is_empty() or risen["moved"][0] < _LEAST_LISTED:
        return None
    after, separates = risen["value"][0], risen["moved"][0]
    changed_at = _split(runs["closed_at"].to_list(), (runs[name] == after).fill_null(False).to_numpy())
    return {
        "attribute": name,
        "before": _predecessor(runs, name, after, changed_at),
        "after": after,
        "changed_at": changed_at,
        "separates": round(separates, 4),
        "score": round(separates * closeness(changed_at, onset), 4),
    }


def _predecessor(runs: pl.DataFrame, name: str, after: str, changed_at: datetime) -> str | None:
    """What most of the last runs before the change had instead."""
    earlier = runs.filter(pl.col("closed_at") < changed_at, pl.col(name).ne_missing(after))[name].tail(_LAST_RUNS)
    counts = earlier.value_counts(name="runs").sort("runs", name, descending=[True, False], nulls_last=True)
    return counts[name][0] if counts.height else None


def closeness(changed_at: datetime, onset: Onset) -> float:
    """Return how close a change is to the onset, in (0, 1]."""
    reach = max(onset.alarm_at - onset.at, _LEAST_REACH)
    return 1 / (1 + onset.distance(changed_at) / reach)


def _split(times: list[datetime], is_new: np.ndarray[Any, Any]) -> datetime:
    """The time from which on the new value is there: where the cumulated share departs most from a straight line."""
    count = len(is_new)
    departure = np.arange(1, count + 1) / count * is_new.sum() - np.cumsum(is_new)
    # The split lies after the row of the greatest departure, and before the first row departs from nothing.
    last_old = int(np.argmax(departure))
    return times[last_old + 1] if departure[last_old] > 0 and last_old + 1 < count else times[int(np.argmax(is_new))]


def said(cause: dict[str, Any], onset: Onset, *, of_one_run: bool = False) -> str:
    """Return one cause in words; where one run is all there is after the onset, with the share of runs before that had it.

    Examples
    --------
    >>> at = datetime(2026, 3, 1, 12)
    >>> said({"attribute": "release", "before": "1", "after": "2", "changed_at": at - timedelta(minutes=4), "separates": 0.96},
    ...      Onset(at, at, at, at))
    'release 1 → 2, 4 min before the onset (moved 96% of runs)'
    """
    name, separates = cause["attribute"].replace("_", " "), cause["separates"]
    moved = f"in {1 - separates:.0%} of the runs before" if of_one_run else f"moved {separates:.0%} of runs"
    return (
        f"{name} {cause['before'] or '(none)'} → {cause['after']}, {_beside(cause['changed_at'], onset.at)} ({moved})"
    )


def _beside(moment: datetime, onset: datetime) -> str:
    apart = abs(moment - onset)
    if apart < timedelta(minutes=1):
        return "at the onset"
    minutes = round(apart / timedelta(minutes=1))
    length = (
        f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h" if minutes < 2880 else f"{minutes / 1440:.0f} d"
    )
    return f"{length} {'before' if moment < onset else 'after'} the onset"

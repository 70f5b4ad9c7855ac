"""How far the fleet is kept in hand, in figures: breaches, overrides, incidents, audit, reversibility, speed of change. Pure.

Stands between ``queries/control.sql`` and the scorecard. Days are put together by what each figure is a ratio of, so that a quiet
day weighs little; a figure is null where none of its days knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from dashboards import text, words
from dashboards.words import Delta


@dataclass(frozen=True, slots=True)
class Control:
    """One figure now, before and over time.

    Parameters
    ----------
    key : str
        Its definition.
    name : str
    unit : str
        ``ratio``, ``per 1,000``, ``min`` or ``h``.
    now, before : float | None
        None is unknown.
    trend : sequence
        A value per day, None where unknown.
    rests_on : float
        What it is a ratio of, in the current period.
    rests_on_name : str
    lower_is_better : bool
    """

    key: str
    name: str
    unit: str
    now: float | None
    before: float | None
    trend: Sequence[float | None]
    rests_on: float
    rests_on_name: str
    lower_is_better: bool

    @property
    def shown(self) -> str:
        """The value with its unit."""
        return value(self.now, self.unit)

    def change(self, against: str) -> Delta | None:
        """The change against the earlier period."""
        if self.unit == "ratio":
            return words.moved(self.now, self.before, against=against, lower_is_better=self.lower_is_better)
        return words.changed(self.now, self.before, against=against, lower_is_better=self.lower_is_better)


# Key, name, unit, daily column, what the day weighs, in words, lower is better.
_FIGURES = (
    ("breach_rate", "Policy breaches", "per 1,000", "breaches", "actions", "actions", True),
    ("override_rate", "Overridden by people", "ratio", "override_ratio", "runs", "runs", True),
    ("incident_rate", "Incidents", "per 1,000", "incidents_opened", "actions", "actions", True),
    ("containment", "Incidents contained", "ratio", "containment_ratio", "incidents_opened", "incidents", False),
    ("diagnosis", "Time to diagnose", "min", "minutes_to_diagnose", "incidents_opened", "incidents", True),
    ("audit", "Audit completeness", "ratio", "audit_completeness_ratio", "runs", "runs", False),
    ("reversibility", "Reversibility", "ratio", "reversibility_ratio", "rollbacks", "rollbacks", False),
    ("rollback_time", "Time to roll back", "min", "minutes_to_rollback", "rollbacks", "rollbacks", True),
    ("update_time", "Time to update", "h", "hours_to_update", "days", "days with a change", True),
    ("within_budget", "Days within budget", "ratio", "is_within_budget", "days", "days with a budget", False),
)


def controls(days: pl.DataFrame) -> list[Control]:
    """The figures, in the order of the page.

    Parameters
    ----------
    days : pl.DataFrame
        ``queries/control.sql``.
    """
    known = days.with_columns(days=pl.lit(1.0), is_within_budget=pl.col("is_within_budget").cast(pl.Float64))
    return [_control(known, *figure) for figure in _FIGURES]


def _control(
    days: pl.DataFrame, key: str, name: str, unit: str, column: str, weight: str, rests_on: str, lower: bool
) -> Control:
    is_count = unit == "per 1,000"
    part = pl.col(column) * 1000.0 if is_count else pl.col(column) * pl.col(weight)
    usable = days.with_columns(
        part=part.cast(pl.Float64), whole=pl.when(pl.col(column).is_not_null()).then(pl.col(weight)).cast(pl.Float64)
    ).filter(pl.col("whole") > 0)
    current, earlier = (usable.filter(pl.col("span") == span) for span in ("current", "previous"))
    trend = days.select("date").join(
        usable.select("date", value=pl.col("part") / pl.col("whole")), on="date", how="left"
    )
    return Control(
        key=key,
        name=name,
        unit=unit,
        now=_ratio(current),
        before=_ratio(earlier),
        trend=trend.sort("date")["value"].to_list(),
        rests_on=float(current["whole"].sum()),
        rests_on_name=rests_on,
        lower_is_better=lower,
    )


def _ratio(days: pl.DataFrame) -> float | None:
    whole = float(days["whole"].sum())
    return float(days["part"].sum()) / whole if whole else None


def value(amount: float | None, unit: str) -> str:
    """A figure of control in its unit.

    Examples
    --------
    >>> value(0.851, "ratio"), value(8.3, "per 1,000"), value(None, "min")
    ('85.1\u202f%', '8.3\u202fper 1,000 actions', '–')
    """
    if amount is None:
        return text.UNKNOWN
    if unit == "ratio":
        return text.percent(amount)
    return f"{text.significant(amount, 2)}\u202f{'per 1,000 actions' if unit == 'per 1,000' else unit}"

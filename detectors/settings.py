"""The settings of the monitor: few, and sensible without a choice."""

from __future__ import annotations

import math
from dataclasses import dataclass

from detectors.errors import SettingsError


@dataclass(frozen=True, slots=True)
class MonitorSettings:
    """How many false alarms are allowed, and how long a stream is learned before it is watched.

    Parameters
    ----------
    alarm_budget_per_week : float > 0
        False alarms allowed a week over all streams of the fleet together. The default is one a year.
    observations_per_week_at_start : float > 0
        Volume assumed until two days of event time have completed.
    warm_up_continuous, warm_up_rate, warm_up_mix : int >= 20
        Length of the warm-up: observations of a continuous stream, runs of a rate or a mix.
    minimum_data : int >= 1
        Below so many (observations or runs) a stream `needs_data`.
    retire_after_days : int >= 1
        A stream is forgotten when the fleet has completed so many days without anything from it.
    second_opinion : bool
        Let River's ADWIN judge the last scores at each alarm; its verdict goes into the signal's detail and never
        changes an alarm. Costs 2 KB of state per stream.
    """

    alarm_budget_per_week: float = 1 / 52
    observations_per_week_at_start: float = 300_000.0
    warm_up_continuous: int = 200
    warm_up_rate: int = 200
    warm_up_mix: int = 200
    minimum_data: int = 30
    retire_after_days: int = 60
    second_opinion: bool = False

    def __post_init__(self) -> None:
        for name in ("alarm_budget_per_week", "observations_per_week_at_start"):
            value = float(getattr(self, name))
            if not (math.isfinite(value) and value > 0):
                raise SettingsError(f"{name} is {value}", todo="give a number above 0")
        for name in ("warm_up_continuous", "warm_up_rate", "warm_up_mix"):
            if getattr(self, name) < 20:
                raise SettingsError(f"{name} is {getattr(self, name)}", todo="give at least 20")
        for name in ("minimum_data", "retire_after_days"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}", todo="give at least 1")

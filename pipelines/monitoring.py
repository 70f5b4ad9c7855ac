"""The detectors' settings as the operator's give them; apart, because to load the detectors takes a second of CPU."""

from __future__ import annotations

from detectors.settings import MonitorSettings
from pipelines.settings import Settings


def monitor_settings(settings: Settings) -> MonitorSettings:
    """Return the detectors' settings as the operator's settings give them."""
    given: dict[str, float | bool] = {
        "second_opinion": settings.second_opinion,
        "retire_after_days": settings.retire_after_days,
    }
    if settings.alarm_budget_per_week is not None:
        given["alarm_budget_per_week"] = settings.alarm_budget_per_week
    return MonitorSettings(**given)  # pyright: ignore[reportArgumentType]

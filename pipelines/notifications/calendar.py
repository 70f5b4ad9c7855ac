"""Quiet hours and digests: what local clocks say, as moments in UTC without a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pipelines.contracts.subscriptions import QuietHours, SubscriptionEntry

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def quiet_until(quiet: QuietHours, now: datetime) -> datetime | None:
    """Return when the quiet hours end that it is in now; None outside of them. A day's quiet hours begin on that day.

    Examples
    --------
    >>> from datetime import time
    >>> nights = QuietHours(start="22:00", end="07:00", time_zone="Europe/Zurich")
    >>> quiet_until(nights, datetime(2026, 7, 1, 21, 30))
    datetime.datetime(2026, 7, 2, 5, 0)
    >>> quiet_until(nights, datetime(2026, 7, 1, 12, 0)) is None
    True
    """
    local = now.replace(tzinfo=UTC).astimezone(quiet.time_zone)
    for back in (1, 0):
        day = local.date() - timedelta(days=back)
        if _DAYS[day.weekday()] not in quiet.days:
            continue
        start = _utc(datetime.combine(day, quiet.start), quiet.time_zone)
        over_midnight = timedelta(days=int(quiet.end <= quiet.start))
        end = _utc(datetime.combine(day + over_midnight, quiet.end), quiet.time_zone)
        if start <= now < end:
            return end
    return None


def digest_began_at(entry: SubscriptionEntry, now: datetime) -> datetime:
    """Return the last moment at which a digest was due: the full hour, or the day's ``digest_at``."""
    return _turn(entry, now, -1)


def digest_due_at(entry: SubscriptionEntry, now: datetime) -> datetime:
    """Return the next such moment."""
    return _turn(entry, now, 1)


def _turn(entry: SubscriptionEntry, now: datetime, direction: Literal[-1, 1]) -> datetime:
    if entry.digest == "hourly":
        hour = now.replace(minute=0, second=0, microsecond=0)
        return hour if direction < 0 else hour + timedelta(hours=1)
    today = now.replace(tzinfo=UTC).astimezone(entry.time_zone).date()
    turns = [
        _utc(datetime.combine(today + timedelta(days=days), entry.digest_at), entry.time_zone) for days in (-1, 0, 1)
    ]
    return max(turn for turn in turns if turn <= now) if direction < 0 else min(turn for turn in turns if turn > now)


def _utc(local: datetime, zone: ZoneInfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)

"""The subscriptions: who hears of what, where, and when not.

Read once when a command starts, checked whole. Without a file, the console and the Kafka topic hear of every incident. An
error names the file, the line, what is wrong and what is allowed.
"""

from __future__ import annotations

import re
from datetime import time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from pipelines.contracts import located
from pipelines.contracts.located import Entry
from pipelines.contracts.money_section import Name

if TYPE_CHECKING:
    ChannelEntry = Any
else:
    try:
        from pipelines.contracts.channels import ChannelEntry
    except ImportError:

        class ChannelEntry(Entry):
            """A channel of any type, where the entries of the types are not installed."""

            model_config = ConfigDict(extra="allow", frozen=True)
            type: str


SEVERITIES = ("info", "warning", "critical")
KINDS = ("drift", "budget", "forecast", "readiness", "audit", "quality", "operation")
FAMILIES = ("data", "behavior", "tool", "cost", "policy")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _duration(value: object) -> object:
    found = re.fullmatch(r"(\d{1,6})\s*([smhd])", value) if isinstance(value, str) else None
    if found is None or not int(found[1]):
        raise ValueError("give a length of time such as 90s, 30m, 4h or 1d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def _clock(value: object) -> object:
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("give a time of day such as 08:00 or 22:30")
    return time(int(found[1]), int(found[2]))


def _zone(value: object) -> object:
    try:
        return ZoneInfo(str(value))
    except (OSError, ValueError, KeyError):
        raise ValueError("give a time zone's name, such as UTC or Europe/Zurich") from None


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _format_version(value: object) -> object:
    if value != "1":
        raise ValueError("this Plumbline reads version 1")
    return 1


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Clock = Annotated[time, BeforeValidator(_clock)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]
Globs = Annotated[tuple[Name, ...], BeforeValidator(_listed), Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_listed), Field(min_length=1)]
Severity = Literal["info", "warning", "critical"]
Kind = Literal["drift", "budget", "forecast", "readiness", "audit", "quality", "operation"]
Family = Literal["data", "behavior", "tool", "cost", "policy"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class _Zoned(Entry):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Match(Entry):
    """What a subscription is about: every key that is given must fit; none given is everything."""

    workflow: Globs | None = None
    family: Annotated[tuple[Family, ...], BeforeValidator(_listed), Field(min_length=1)] | None = None
    kind: Annotated[tuple[Kind, ...], BeforeValidator(_listed), Field(min_length=1)] | None = None
    severity: Annotated[tuple[Severity, ...], BeforeValidator(_listed), Field(min_length=1)] | None = None
    team: Globs | None = None
    environment: Globs | None = None


class QuietHours(_Zoned):
    """From ``start`` to ``end``, over midnight where that is earlier, only what is graver than ``severity_at_most`` is told."""

    start: Clock
    end: Clock
    time_zone: Zone
    days: Annotated[tuple[Day, ...], BeforeValidator(_listed), Field(min_length=1)] = _DAYS
    severity_at_most: Severity = "warning"

    @model_validator(mode="after")
    def _some(self) -> QuietHours:
        if self.start == self.end:
            raise ValueError("start and end are the same: give two times of day")
        return self


class RateLimit(Entry):
    """At most so many messages in any such length of time; what is over it is gathered into one."""

    messages: Annotated[int, Field(ge=1, le=10_000)]
    per: Duration


class Escalation(Entry):
    """Where else it is told when nobody has acknowledged it for so long."""

    after: Duration
    to: Names


class SubscriptionEntry(_Zoned):
    """A subscription: what about, where to, and when not."""

    match: Match = Match()
    to: Names
    min_severity: Severity = "info"
    every: bool = False
    renotify: Duration = timedelta(hours=4)
    rate_limit: RateLimit | None = None
    quiet_hours: QuietHours | None = None
    digest: Literal["hourly", "daily"] | None = None
    digest_at: Clock = time(8)
    time_zone: Zone = ZoneInfo("UTC")
    escalate: Escalation | None = None

    @model_validator(mode="after")
    def _agrees(self) -> SubscriptionEntry:
        if self.every and (self.digest or self.quiet_hours or self.rate_limit or "renotify" in self.model_fields_set):
            raise ValueError("every tells each change at once: leave out digest, quiet_hours, rate_limit and renotify")
        return self


class Subscriptions(Entry):
    """A whole file."""

    version: Annotated[int, BeforeValidator(_format_version)] = 1
    channels: dict[Name, ChannelEntry] = Field(default_factory=dict)
    subscriptions: dict[Name, SubscriptionEntry] = Field(default_factory=dict)


def load_subscriptions(path: Path) -> Subscriptions:
    """Read and check ``subscriptions.yaml``.

    Raises
    ------
    TerminalError
        One line with file and line: as of :func:`pipelines.contracts.located.load`, and a channel that is not declared.
    """
    loaded, root = located.load(path, Subscriptions, "subscriptions file")
    for name, entry in loaded.subscriptions.items():
        wanted = [(("to",), entry.to), *([(("escalate", "to"), entry.escalate.to)] if entry.escalate else [])]
        for place, channels in wanted:
            for channel in channels:
                if channel not in loaded.channels:
                    assert root is not None
                    allowed = ", ".join(sorted(loaded.channels)) or "declare one below `channels`"
                    where = ("subscriptions", name, *place)
                    raise located.error(path, root, where, f"no channel {channel[:80]!r}", f"use one of {allowed}")
    return loaded

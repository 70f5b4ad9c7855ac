"""From the subscriptions file to open channels: the one place that knows where the types of channels come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pipelines.contracts.subscriptions import SubscriptionEntry, Subscriptions, load_subscriptions
from pipelines.errors import TerminalError
from pipelines.notifications.message import Channel
from pipelines.settings import Settings


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The subscriptions of a home, and the channels that they name.

    Attributes
    ----------
    subscriptions : dict
        By name.
    channels : dict
        By name, open; nothing is connected to before the first message.
    """

    subscriptions: dict[str, SubscriptionEntry]
    channels: dict[str, Channel]


def subscriptions_of(settings: Settings, *, with_topic: bool) -> Subscriptions:
    """Return the subscriptions file of the settings; without one, the console and the topic hear of every incident.

    Parameters
    ----------
    with_topic : bool
        Whether there is a broker, where no file says what to do.
    """
    if settings.subscriptions is not None:
        return load_subscriptions(settings.subscriptions)
    channels = {"console": {"type": "console"}, **({"kafka": {"type": "kafka"}} if with_topic else {})}
    default = {"match": {"kind": ["drift", "operation"]}, "to": list(channels), "every": True}
    return Subscriptions.model_validate({"channels": channels, "subscriptions": {"default": default}})


def subscribed(settings: Settings, console: Callable[[str], None], *, with_topic: bool) -> Subscribed:
    """Return the subscriptions of the settings with their channels open.

    Raises
    ------
    TerminalError
        One line: of the file, or of a channel that can't be opened.
    """
    found = subscriptions_of(settings, with_topic=with_topic)
    named = {name for entry in found.subscriptions.values() for name in entry.to}
    named |= {name for entry in found.subscriptions.values() if entry.escalate for name in entry.escalate.to}
    channels = {name: open_channel(name, found.channels[name], settings, console) for name in sorted(named)}
    return Subscribed(dict(found.subscriptions), channels)


def open_channel(name: str, entry: Any, settings: Settings, console: Callable[[str], None]) -> Channel:
    """Return the channel of an entry."""
    try:
        from pipelines.notifications.channels import make_channel  # pyright: ignore[reportMissingImports]
    except ImportError:
        from pipelines.notifications.standing import make_standing_channel

        if entry.type not in ("console", "kafka"):
            raise TerminalError(
                f"no channel of type {entry.type!r}", f"channel {name}", "use console or kafka"
            ) from None
        return make_standing_channel(name, entry, settings, console=console)
    return make_channel(name, entry, settings, console=console)

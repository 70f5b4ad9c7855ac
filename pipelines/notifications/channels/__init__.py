"""The ways out: one module per type of channel, each imported only where an entry asks for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from pipelines.contracts.channels import (
    AlertmanagerEntry,
    AppriseEntry,
    ChannelEntry,
    EmailEntry,
    KafkaEntry,
    PagerDutyEntry,
    SlackEntry,
    TeamsEntry,
    WebhookEntry,
)
from pipelines.notifications.channels.credentials import Credentials
from pipelines.notifications.message import Channel
from pipelines.settings import Settings

__all__ = ["make_channel"]


def make_channel(
    name: str,
    entry: ChannelEntry,
    settings: Settings,
    *,
    environment: Mapping[str, str] | None = None,
    console: Callable[[str], None] | None = None,
) -> Channel:
    """Return the channel of an entry, with its secrets read; nothing is connected to before the first message.

    Parameters
    ----------
    name : str
        The channel's name in ``subscriptions.yaml``.
    settings : Settings
        Broker and topic of a Kafka channel whose entry leaves them out.
    environment : mapping or None
        Where secrets are looked up; None takes the process's own.
    console : callable or None
        Gets the lines of a console channel; None writes them to standard error.

    Raises
    ------
    TerminalError
        One line: a secret that is missing or unreadable, or that would travel in clear text; a file of authorities that
        can't be used; an address that is none.
    """
    credentials = Credentials(name) if environment is None else Credentials(name, environment)
    match entry:
        case KafkaEntry():
            from pipelines.notifications.channels.kafka import KafkaChannel

            return KafkaChannel(name, entry, settings)
        case WebhookEntry():
            from pipelines.notifications.channels.webhook import WebhookChannel

            return WebhookChannel(name, entry, credentials)
        case AlertmanagerEntry():
            from pipelines.notifications.channels.alertmanager import AlertmanagerChannel

            return AlertmanagerChannel(name, entry, credentials)
        case SlackEntry():
            from pipelines.notifications.channels.slack import SlackChannel

            return SlackChannel(name, entry, credentials)
        case TeamsEntry():
            from pipelines.notifications.channels.teams import TeamsChannel

            return TeamsChannel(name, entry, credentials)
        case PagerDutyEntry():
            from pipelines.notifications.channels.pagerduty import PagerDutyChannel

            return PagerDutyChannel(name, entry, credentials)
        case EmailEntry():
            from pipelines.notifications.channels.email import EmailChannel

            return EmailChannel(name, entry, credentials)
        case AppriseEntry():
            from pipelines.notifications.channels.apprise import AppriseChannel

            return AppriseChannel(name, entry, credentials)
        case _:
            from pipelines.notifications.channels.console import ConsoleChannel

            return ConsoleChannel(name, console or _to_standard_error)


def _to_standard_error(line: str) -> None:
    print(line, file=sys.stderr, flush=True)

"""The entry of a channel in ``subscriptions.yaml``: one model per type, told apart by ``type``.

No entry holds a secret: a field of type :class:`Secret` names the environment variable or the file that does, so that the
file can be committed and shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import getaddresses
from pathlib import Path
from typing import Annotated, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from pipelines.contracts.located import Entry, unsaid

Seconds: TypeAlias = Annotated[float, Field(gt=0, le=300)]


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        raise ValueError("give an address like https://host/path") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or any(c.isspace() or ord(c) < 32 for c in value):
        raise ValueError("give an address like https://host/path")
    if parts.username is not None or parts.password is not None:
        raise unsaid("leave user and password out of the address: this file holds no secrets")
    return value


def _mailbox(value: str) -> str:
    addresses = getaddresses([value])
    address = addresses[0][1] if len(addresses) == 1 else ""
    plain = value.isprintable() and address.isascii() and " " not in address and address.count("@") == 1
    if not plain or not all(address.split("@")):
        raise ValueError("give one e-mail address, like Ann <ann@example.com>")
    return value


Url: TypeAlias = Annotated[str, Field(max_length=2000), AfterValidator(_url)]
Mailbox: TypeAlias = Annotated[str, Field(max_length=320), AfterValidator(_mailbox)]
Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=255)]


class Secret(Entry):
    """Where a secret is kept: an environment variable, or a file that holds nothing else.

    Attributes
    ----------
    env : str or None
        Name of the variable.
    file : Path or None
        The file; a line break at its end does not count.
    """

    env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _never_inline(cls, value: object) -> object:
        if not isinstance(value, (dict, Secret)):
            raise unsaid("a secret never stands here: write {env: NAME_OF_VARIABLE} or {file: PATH}")
        return value  # pyright: ignore[reportUnknownVariableType]  # pydantic checks its keys next

    @model_validator(mode="after")
    def _one_place(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError("name one place, {env: NAME_OF_VARIABLE} or {file: PATH}")
        return self


class ConsoleEntry(Entry):
    """Lines on the worker's standard error."""

    type: Literal["console"]


class KafkaEntry(Entry):
    """CloudEvents on a Kafka topic.

    Attributes
    ----------
    topic : str or None
        None takes the setting ``alerts_topic``.
    bootstrap_servers : str or None
        ``host:port[,host:port]``; None takes the broker that the spans come from.
    """

    type: Literal["kafka"]
    topic: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,249}$")] | None = None
    bootstrap_servers: Text | None = None


class HttpEntry(Entry):
    """What every channel over HTTP may say.

    Attributes
    ----------
    ca_file : Path or None
        PEM file of the authorities to believe, where the receiver's certificate is from a private one.
    timeout_seconds : float
        How long connecting, and each wait for an answer, may take, in seconds.
    """

    ca_file: Path | None = None
    timeout_seconds: Seconds = 10.0


class WebhookEntry(HttpEntry):
    """A signed POST of JSON, as Standard Webhooks 1.0 describes.

    Attributes
    ----------
    url : str
        Where to; a redirect is refused.
    secret : Secret
        Key of the HMAC: ``whsec_`` and the base64 of 24 to 64 bytes.
    previous_secret : Secret or None
        While a key is changed: messages are signed with both.
    token : Secret or None
        Sent as ``Authorization: Bearer``.
    """

    type: Literal["webhook"]
    url: Url
    secret: Secret
    previous_secret: Secret | None = None
    token: Secret | None = None


class AlertmanagerEntry(HttpEntry):
    """The API v2 of one Prometheus Alertmanager; a cluster has one channel per member.

    Attributes
    ----------
    url : str
        Its root, as in ``http://127.0.0.1:9093``.
    labels : mapping
        Put on every alert beside ours.
    token : Secret or None
        Sent as ``Authorization: Bearer``.
    username : str or None
    password : Secret or None
        Sent as ``Authorization: Basic``.
    """

    type: Literal["alertmanager"]
    url: Url
    labels: Mapping[Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,99}$")], Text] = Field(default_factory=dict)
    token: Secret | None = None
    username: Text | None = None
    password: Secret | None = None

    @model_validator(mode="after")
    def _one_login(self) -> AlertmanagerEntry:
        if (self.username is None) != (self.password is None) or (self.token and self.username):
            raise ValueError("give username and password, or a token, or none of them")
        return self


class SlackEntry(HttpEntry):
    """An incoming webhook of Slack.

    Attributes
    ----------
    url : Secret
        Its address: who has it can post.
    """

    type: Literal["slack"]
    url: Secret


class TeamsEntry(HttpEntry):
    """A Workflows webhook of Microsoft Teams ("Post to a channel when a webhook request is received").

    Attributes
    ----------
    url : Secret
        Its address: who has it can post.
    """

    type: Literal["teams"]
    url: Secret


class PagerDutyEntry(HttpEntry):
    """The Events API v2 of PagerDuty.

    Attributes
    ----------
    routing_key : Secret
        Integration key of a service, 32 characters.
    url : str
        In the European region ``https://events.eu.pagerduty.com/v2/enqueue``.
    source : str
        Shown as the source of the alert.
    """

    type: Literal["pagerduty"]
    routing_key: Secret
    url: Url = "https://events.pagerduty.com/v2/enqueue"
    source: Text = "plumbline"


class EmailEntry(Entry):
    """E-mail through an SMTP server.

    Attributes
    ----------
    host : str
    port : int or None
        None takes the one of ``security``: 587, 465 or 25.
    security : str
        ``starttls``, ``tls`` from the first byte, or ``none``.
    username : str or None
    password : Secret or None
    sender : str
        The From address.
    to : tuple of str
        The recipients.
    ca_file : Path or None
        PEM file of the authorities to believe, where the server's certificate is from a private one.
    timeout_seconds : float
        How long each step of the dialogue may take, in seconds.
    """

    type: Literal["email"]
    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:\-]{1,253}$")]
    port: Annotated[int, Field(ge=1, le=65_535)] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Text | None = None
    password: Secret | None = None
    sender: Mailbox
    to: Annotated[tuple[Mailbox, ...], Field(min_length=1, max_length=100)]
    ca_file: Path | None = None
    timeout_seconds: Seconds = 20.0

    @model_validator(mode="after")
    def _whole_login(self) -> EmailEntry:
        if (self.username is None) != (self.password is None):
            raise ValueError("give username and password, or none of them")
        return self


class AppriseEntry(Entry):
    """Any of the services that ``apprise`` knows.

    Attributes
    ----------
    url : Secret
        The service's address in apprise's notation, which holds its tokens.
    """

    type: Literal["apprise"]
    url: Secret


ChannelEntry: TypeAlias = Annotated[
    ConsoleEntry
    | KafkaEntry
    | WebhookEntry
    | AlertmanagerEntry
    | SlackEntry
    | TeamsEntry
    | PagerDutyEntry
    | EmailEntry
    | AppriseEntry,
    Field(discriminator="type"),
]

"""What a channel is given to say, and what it answers: the edge between the outbox and the channels.

Everything in a message that came from traces or from the catalog (names, headlines, values) is hostile text: a channel escapes
it for its own format, and cuts it to its own limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One notification, as it is said to one channel.

    Attributes
    ----------
    notification_id : str
        16 hex digits. The same for every try, and for a try after a crash: receivers know duplicates by it.
    subscription : str
        Name of the subscription, ``test`` of a sample.
    kind : str
        What it is about: ``drift``, ``budget``, ``forecast``, ``readiness``, ``audit``, ``quality``, ``operation``, ``digest``,
        ``test``.
    subject_id : str
        Incident or other subject: constant over its life, so that a receiver can update and resolve what it has.
    occasion : str
        Why now: ``opened``, ``changed``, ``reopened``, ``acknowledged``, ``silenced``, ``resolved``, ``renotified``,
        ``escalated``, ``digest``, ``test``.
    state : str
        The subject's state: ``open``, ``acknowledged``, ``silenced`` or ``resolved``.
    severity : str
        ``info``, ``warning`` or ``critical``.
    is_instant : bool
        It happened and nobody will resolve it: a rung of a budget's ladder, messages lost, a digest, a sample.
    workflow, family, team, environment : str or None
        None where the subject has none, or where it is unknown.
    headline : str
        One sentence for people.
    details : tuple of (label, value)
        What an explanation shows below the headline, in its order: labels are ours, values may be hostile.
    opened_at, changed_at : datetime
        UTC without a zone.
    link : str or None
        Address of the subject on the dashboard; None where ``dashboard_url`` is not set.
    data : mapping
        The subject as JSON-able values, for receivers that are programs: of an incident what
        ``pipelines/contracts/drift_alert.schema.json`` describes.
    items : tuple of Message
        Of a digest, what it gathers, the gravest first.
    """

    notification_id: str
    subscription: str
    kind: str
    subject_id: str
    occasion: str
    state: str
    severity: str
    headline: str
    opened_at: datetime
    changed_at: datetime
    is_instant: bool = False
    workflow: str | None = None
    family: str | None = None
    team: str | None = None
    environment: str | None = None
    details: tuple[tuple[str, str], ...] = ()
    link: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    items: tuple[Message, ...] = ()


class Verdict(StrEnum):
    """What became of one try."""

    DELIVERED = "delivered"
    #: The other side may take it later: it is tried again.
    RETRY = "retry"
    #: The other side will never take it, or it can't be said: it is set aside, to be looked at.
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side of a channel said to one try.

    Attributes
    ----------
    said : str
        One line for the delivery log, at most 500 characters, without secrets: ``HTTP 202``, ``HTTP 429: slow down``,
        ``connection refused``.
    retry_after_seconds : float or None
        How long the other side asks to wait, in seconds; None where it does not say.
    """

    verdict: Verdict
    said: str
    retry_after_seconds: float | None = None


class Channel(Protocol):
    """One way out. Each lives in a thread of its own, so that a slow or dead one delays no other."""

    name: str

    def send(self, message: Message) -> Answer:
        """Say the message once, within a time limit of its own, and return the answer; whatever goes wrong is an answer too."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...

"""What the API takes and gives: the OpenAPI document follows from these.

Names, headlines and reasons are text from traces and people: JSON strings, and nothing else.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from pipelines.alerts.lifecycle import LONGEST_SILENCE


class State(StrEnum):
    """What an incident is."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    RESOLVED = "resolved"
    MERGED = "merged"


class Severity(StrEnum):
    """How grave it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Family(StrEnum):
    """What drifted."""

    DATA = "data"
    BEHAVIOR = "behavior"
    TOOL = "tool"
    COST = "cost"
    POLICY = "policy"


def _coming(moment: datetime) -> datetime:
    now = datetime.now(UTC)
    if not now < moment <= now + LONGEST_SILENCE:
        raise ValueError(f"must lie in the next {LONGEST_SILENCE.days} days")
    return moment


class Incident(BaseModel):
    """An incident: signals of one workflow that are close in time."""

    incident_id: str
    workflow: str | None
    family: str | None = Field(description="Family of its strongest signal.")
    families: list[str]
    severity: str | None
    state: str
    headline: str | None
    onset_at: datetime | None = Field(description="Estimated event time of the change.")
    opened_at: datetime | None = Field(description="Event time of its first signal.")
    last_signal_at: datetime | None = Field(description="Event time of its last signal.")
    signals: int | None = Field(description="Number of signals.")
    run_ids: list[str] = Field(description="Some runs that show it.")
    silenced_until: datetime | None
    merged_into: str | None = Field(description="Incident that it went into.")
    judged: str | None = Field(
        description="What was said of it last: real, false or resolved by a person, or resolved_itself."
    )
    updated_at: datetime | None = Field(description="When its row was written.")


class Change(BaseModel):
    """One change of an incident."""

    kind: str
    from_state: str | None
    to_state: str
    at: datetime = Field(description="Event time for what the detectors did, else when it was said.")
    said_by: str | None
    why: str | None
    silenced_until: datetime | None
    other_incident_id: str | None
    signal_id: str | None


class Delivery(BaseModel):
    """One message about the incident to one channel, and what became of it."""

    notification_id: str = Field(description="The same for every try: receivers know duplicates by it.")
    subscription: str
    channel: str
    occasion: str = Field(description="Why: opened, changed, acknowledged, silenced, resolved, …")
    state: str = Field(description="State of the incident, as told.")
    status: str = Field(description="waiting, delivered, set_aside or gathered (told in a digest).")
    tries: int
    made_at: datetime
    settled_at: datetime | None = Field(description="When it was delivered or set aside; null while it waits.")
    next_try_at: datetime | None
    said: str | None = Field(description="What the channel answered last.")


class Detail(Incident):
    """An incident with all that is known about it."""

    evidence: list[dict[str, Any]] = Field(
        description="Its signals, oldest first: the columns of table signals, times in UTC, null where unknown."
    )
    history: list[Change] = Field(description="Oldest first.")
    deliveries: list[Delivery] = Field(description="Oldest first.")


class Page(BaseModel):
    """Incidents, the latest first."""

    items: list[Incident]
    next: str | None = Field(description="Value of `cursor` for the next page; null on the last one.")


class Health(BaseModel):
    """How the warehouse stands, as read for this answer."""

    status: Literal["ok"]
    incidents: dict[str, int] = Field(description="By state.")
    dead_letters: int = Field(description="Unreadable messages that were not replayed.")
    last_commit_at: datetime | None = Field(description="When a worker last committed.")
    checkpoint_at: datetime | None = Field(description="When the detectors last saved their state.")


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    who: str | None = Field(
        None, min_length=1, max_length=100, description="For whom the caller speaks; its token's name is noted too."
    )


class Saying(_Said):
    """Who and why."""

    why: str | None = Field(None, min_length=1, max_length=2000)


class Acknowledgement(Saying):
    """That somebody has taken it on, and what it is."""

    judged: Literal["real", "false"] | None = Field(
        None, description="real: it drifted, and that stays. false: it did not. Null: not known yet."
    )


class Silence(_Said):
    """An end and a reason."""

    until: Annotated[AwareDatetime, AfterValidator(_coming)] = Field(description="With a zone; at most 90 days ahead.")
    why: str = Field(min_length=1, max_length=2000)

"""What was said before, as routing needs it: the rows of table ``notifications``, looked up by whom they told of what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

#: Occasions that detectors and conditions bring about by themselves: a storm of them is held to one message an interval.
AUTOMATIC = ("opened", "changed", "renotified")
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """One notification that was made, whether it has arrived or not: what of table ``notifications`` routing looks at."""

    notification_id: str
    subscription: str
    channel: str
    subject_id: str
    workflow: str | None
    occasion: str
    state: str
    revision: int
    extent: int
    made_at: datetime
    gathered_in: str | None = None

    @property
    def key(self) -> Key:
        """Who was told of what: subscription, channel and subject."""
        return self.subscription, self.channel, self.subject_id

    @property
    def group(self) -> Key:
        """What a storm is held to one message of: subscription, channel and workflow, or the subject where there is none."""
        return self.subscription, self.channel, group_of(self.workflow, self.subject_id)


def group_of(workflow: str | None, subject_id: str) -> str:
    """Return what a storm of subjects has in common: their workflow."""
    return f"workflow {workflow}" if workflow is not None else f"subject {subject_id}"


class Memory:
    """What was said, in the order in which it was.

    Attributes
    ----------
    last : dict
        The last one by subscription, channel and subject.
    automatic_at : dict
        When detectors or conditions were last heard, by subscription, channel and workflow.
    """

    def __init__(self, said: Iterable[Said] = ()) -> None:
        self.last: dict[Key, Said] = {}
        self.automatic_at: dict[Key, datetime] = {}
        self._counts: defaultdict[Key, int] = defaultdict(int)
        self._made_at: defaultdict[str, list[datetime]] = defaultdict(list)
        self._digests: dict[tuple[str, str], datetime] = {}
        self._first: dict[tuple[str, str, int], datetime] = {}
        for one in said:
            self.add(one)

    def add(self, one: Said) -> None:
        """Take in what was said after all that is known."""
        if one.occasion == "digest" and one.gathered_in is None:
            self._digests[one.subscription, one.channel] = one.made_at
        else:
            self.last[one.key] = one
            self._counts[one.key] += 1
            if one.state == "open":
                self._first.setdefault((one.subscription, one.subject_id, one.revision), one.made_at)
        if one.occasion in AUTOMATIC:
            self.automatic_at[one.group] = one.made_at
        if one.gathered_in is None:
            self._made_at[one.subscription].append(one.made_at)

    def count(self, key: Key) -> int:
        """How often this was told of before."""
        return self._counts[key]

    def told_open_at(self, subscription: str, subject_id: str, revision: int) -> datetime | None:
        """When the subscription was first told that it is open, in this revision."""
        return self._first.get((subscription, subject_id, revision))

    def digest_at(self, subscription: str, channel: str) -> datetime | None:
        """When the last digest was made."""
        return self._digests.get((subscription, channel))

    def messages_since(self, subscription: str, since: datetime) -> list[datetime]:
        """When the messages of a subscription after this moment were made, the oldest first."""
        return [at for at in self._made_at[subscription] if at > since]

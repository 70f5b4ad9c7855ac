"""Who is told of what, now: pure, from the subjects as they stand, the subscriptions, and what was said before.

Nothing waits in a queue on the way: what may not be told yet (quiet hours, a rate limit, a digest, a storm) is decided anew at
each look, and so is told once, as it stands then. The ids follow from what is told to whom, so a crash changes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import groupby

from pipelines.alerts.incidents import digest
from pipelines.contracts.subscriptions import SEVERITIES, Match, SubscriptionEntry
from pipelines.notifications.calendar import digest_began_at, digest_due_at, quiet_until
from pipelines.notifications.memory import AUTOMATIC, Memory, Said, group_of
from pipelines.notifications.subject import Subject


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing to tell.

    Attributes
    ----------
    subject : Subject or None
        None of a digest.
    items : tuple of Notification
        Of a digest, what it gathers, the gravest first.
    """

    notification_id: str
    subscription: str
    channel: str
    subject: Subject | None
    occasion: str
    revision: int
    items: tuple[Notification, ...] = ()

    def said(self, at: datetime) -> list[Said]:
        """Return what is to be remembered of it: its items too."""
        subject = self.subject or self.items[0].subject
        assert subject is not None
        own = Said(
            self.notification_id,
            self.subscription,
            self.channel,
            subject.subject_id if self.subject else self.notification_id,
            subject.workflow,
            self.occasion,
            subject.state if self.subject else "open",
            self.revision,
            subject.extent if self.subject else len(self.items),
            at,
        )
        return [own, *(replace(one.said(at)[0], gathered_in=self.notification_id) for one in self.items)]


@dataclass(frozen=True, slots=True)
class Held:
    """What is not told now, and why; ``until`` is None where it never will be as it stands."""

    subscription: str
    channel: str
    subject_id: str
    occasion: str
    reason: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Routed:
    """What is due now, what waits, and what is not told at all."""

    due: tuple[Notification, ...] = ()
    deferred: tuple[Held, ...] = ()
    suppressed: tuple[Held, ...] = ()


def route(
    subjects: Iterable[Subject], subscriptions: Mapping[str, SubscriptionEntry], memory: Memory, now: datetime
) -> Routed:
    """Return what is to be told now, and what is held back.

    Parameters
    ----------
    subjects : iterable of Subject
        As they stand.
    subscriptions : mapping
        By name.
    memory : Memory
        What was said before; left as it is.
    now : datetime
        UTC without a zone.
    """
    gravest_first = sorted(
        subjects, key=lambda each: (-SEVERITIES.index(each.severity), each.opened_at, each.subject_id)
    )
    due: list[Notification] = []
    deferred: list[Held] = []
    suppressed: list[Held] = []
    for name, entry in sorted(subscriptions.items()):
        wanted: list[Notification] = []
        for subject in gravest_first:
            for channel in _channels(entry):
                occasion, why_not = _occasion(name, entry, channel, subject, memory)
                if why_not:
                    suppressed.append(Held(name, channel, subject.subject_id, "", why_not, None))
                if occasion is None:
                    continue
                held = _held(name, entry, channel, subject, occasion, memory, now)
                if held is not None:
                    deferred.append(held)
                else:
                    wanted.append(_notification(name, channel, subject, occasion, memory))
        told, over = _within_rate(name, entry, _gathered(name, entry, wanted), memory, now)
        due += told
        deferred += over
    return Routed(tuple(due), tuple(deferred), tuple(suppressed))


def matches(match: Match, subject: Subject) -> bool:
    """Whether a subject is what a subscription is about; what is not known of it fits no pattern."""
    return (
        _fits(match.workflow, subject.workflow)
        and (match.kind is None or subject.kind in match.kind)
        and (match.family is None or bool({subject.family, *subject.families} & set(match.family)))
        and (match.severity is None or subject.severity in match.severity)
        and _fits(match.team, subject.team)
        and _fits(match.environment, subject.environment)
    )


def _fits(globs: tuple[str, ...] | None, value: str | None) -> bool:
    return globs is None or (value is not None and any(fnmatchcase(value, glob) for glob in globs))


def _channels(entry: SubscriptionEntry) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*entry.to, *(entry.escalate.to if entry.escalate else ()))))


def revision_of(subject: Subject, last: Said | None) -> int:
    """Return which of its states the subject is in; of one that counts none, seen from what was told last."""
    if subject.revision is not None:
        return subject.revision
    if last is None:
        return 1
    return last.revision if last.state == subject.state else last.revision + 1


def _occasion(
    name: str, entry: SubscriptionEntry, channel: str, subject: Subject, memory: Memory
) -> tuple[str | None, str | None]:
    """Return why this channel is to be told now (None: it is not), and why not, where somebody might ask."""
    last = memory.last.get((name, channel, subject.subject_id))
    revision = revision_of(subject, last)
    is_escalation = channel not in entry.to
    grave = SEVERITIES.index(subject.severity) >= SEVERITIES.index(entry.min_severity)
    if last is None and not (grave and matches(entry.match, subject)):
        return None, None
    if last is None and is_escalation:
        return _escalated(name, subject, revision, memory), None
    if last is None:
        if subject.state == "resolved":
            # To a person who never heard that it was there, it is no news that it is gone.
            return ("resolved", None) if entry.every and subject.revision is not None else (None, None)
        if subject.state == "silenced" and not entry.every:
            return None, "silenced"
        return ("opened" if subject.state == "open" else subject.occasion), None
    if subject.is_instant:
        return None, None
    if revision != last.revision and is_escalation and subject.state == "open":
        return _escalated(name, subject, revision, memory), None
    if revision != last.revision:
        return (subject.occasion if subject.state != "resolved" else "resolved"), None
    if entry.every:
        return ("changed" if subject.extent != last.extent else None), None
    if subject.state == "silenced" and subject.extent != last.extent:
        return None, "silenced"
    if subject.state == "open" and not is_escalation:
        return ("changed" if subject.extent != last.extent else "renotified"), None
    return None, None


def _escalated(name: str, subject: Subject, revision: int, memory: Memory) -> str | None:
    if subject.state != "open" or subject.is_instant:
        return None
    return "escalated" if memory.told_open_at(name, subject.subject_id, revision) is not None else None


def _held(
    name: str, entry: SubscriptionEntry, channel: str, subject: Subject, occasion: str, memory: Memory, now: datetime
) -> Held | None:
    """Return what holds this back; None where it may be told."""

    def held(reason: str, until: datetime) -> Held:
        return Held(name, channel, subject.subject_id, occasion, reason, until)

    if occasion == "escalated":
        assert entry.escalate is not None
        told_at = memory.told_open_at(name, subject.subject_id, revision_of(subject, None))
        due_at = now if told_at is None else told_at + entry.escalate.after
        return held("time to acknowledge", due_at) if due_at > now else None
    if entry.every:
        return None
    if occasion in AUTOMATIC:
        group = (name, channel, group_of(subject.workflow, subject.subject_id))
        last = memory.last.get((name, channel, subject.subject_id))
        times = [memory.automatic_at.get(group)]
        if occasion in ("changed", "renotified") and last is not None:
            times.append(last.made_at)
        latest = max((at for at in times if at is not None), default=None)
        if latest is not None and latest + entry.renotify > now:
            return held("renotify interval", latest + entry.renotify)
    quiet = entry.quiet_hours
    if quiet is not None and SEVERITIES.index(subject.severity) <= SEVERITIES.index(quiet.severity_at_most):
        until = quiet_until(quiet, now)
        if until is not None:
            return held("quiet hours", until)
    if entry.digest is not None:
        turn, last_digest = digest_began_at(entry, now), memory.digest_at(name, channel)
        if subject.changed_at >= turn or (last_digest is not None and last_digest >= turn):
            return held(f"{entry.digest} digest", digest_due_at(entry, now))
    return None


def _notification(name: str, channel: str, subject: Subject, occasion: str, memory: Memory) -> Notification:
    key = (name, channel, subject.subject_id)
    revision = revision_of(subject, memory.last.get(key))
    # More of the same state is told by number; a state once.
    number = memory.count(key) if occasion in ("changed", "renotified", "escalated") else 0
    said = digest(subject.subject_id, revision, f"{occasion} {number}" if number else subject.state, name, channel)
    return Notification(said, name, channel, subject, occasion, revision)


def _gathered(name: str, entry: SubscriptionEntry, wanted: list[Notification]) -> list[Notification]:
    """Gather what is to be told together: a whole digest, and what detectors say of one workflow at one time."""
    if entry.every:
        return wanted

    def whole(one: Notification) -> tuple[str, str]:
        assert one.subject is not None
        if entry.digest is not None and one.occasion != "escalated":
            return one.channel, "digest"
        if one.occasion in AUTOMATIC:
            return one.channel, group_of(one.subject.workflow, one.subject.subject_id)
        return one.channel, one.notification_id

    groups: dict[tuple[str, str], list[Notification]] = {}
    for one in wanted:
        groups.setdefault(whole(one), []).append(one)
    return [
        together(name, channel, members) if len(members) > 1 or kind == "digest" else members[0]
        for (channel, kind), members in groups.items()
    ]


def together(name: str, channel: str, members: Iterable[Notification]) -> Notification:
    """Return the digest of several notifications to one channel; one that is gathered already gives what it gathers."""
    items = tuple(item for member in members for item in (member.items or (member,)))
    gathered = digest(*sorted(item.notification_id for item in items), name, channel)
    return Notification(gathered, name, channel, None, "digest", 1, items)


def _within_rate(
    name: str, entry: SubscriptionEntry, wanted: list[Notification], memory: Memory, now: datetime
) -> tuple[list[Notification], list[Held]]:
    """Return what the rate limit lets through, the gravest first: where that is not all, the last one gathers the rest."""
    limit = entry.rate_limit
    if limit is None:
        return wanted, []
    urgent = [one for one in wanted if one.occasion == "escalated"]
    others = [one for one in wanted if one.occasion != "escalated"]
    before = memory.messages_since(name, now - limit.per)
    room = limit.messages - len(before)
    if len(others) <= room:
        return wanted, []
    if room <= 0:
        until = before[-limit.messages] + limit.per
        return urgent, list(_each_held(others, "rate limit", until))
    by_channel = [list(group) for _, group in groupby(sorted(others, key=_channel), key=_channel)]
    if len(by_channel) >= room:
        # Not even one message for each channel: the first ones get theirs.
        told, rest = by_channel[:room], [one for group in by_channel[room:] for one in group]
        until = now + limit.per
        return (
            [*urgent, *(together(name, group[0].channel, group) if len(group) > 1 else group[0] for group in told)],
            list(_each_held(rest, "rate limit", until)),
        )
    single, last = others[: room - len(by_channel)], others[room - len(by_channel) :]
    rest = [list(group) for _, group in groupby(sorted(last, key=_channel), key=_channel)]
    return [
        *urgent,
        *single,
        *(together(name, group[0].channel, group) if len(group) > 1 else group[0] for group in rest),
    ], []


def _channel(one: Notification) -> str:
    return one.channel


def _each_held(held: Iterable[Notification], reason: str, until: datetime) -> Iterator[Held]:
    for one in held:
        for item in one.items or (one,):
            assert item.subject is not None
            yield Held(one.subscription, one.channel, item.subject.subject_id, item.occasion, reason, until)


__all__ = ["Held", "Notification", "Routed", "matches", "revision_of", "route", "together"]

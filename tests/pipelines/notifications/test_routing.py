"""Routing: who is told of what, when, and never twice, whatever storms come."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contracts.subscriptions import SubscriptionEntry
from pipelines.notifications.memory import AUTOMATIC, Memory
from pipelines.notifications.routing import Notification, Routed, route
from pipelines.notifications.subject import Subject

T0 = datetime(2026, 9, 10, 12)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def subject(name: str = "i1", **more: Any) -> Subject:
    given_values: dict[str, Any] = {
        **{"kind": "drift", "state": "open", "severity": "warning", "headline": "it changed", "workflow": "desk"},
        **{"opened_at": T0, "changed_at": T0, "revision": 1, "family": "tool", "families": ("tool", "cost")},
        **more,
    }
    return Subject(subject_id=name, **given_values)


def entry(**more: Any) -> SubscriptionEntry:
    return SubscriptionEntry.model_validate({"to": "chat", **more})


class World:
    """Looks one after the other, and remembers what was said."""

    def __init__(self, **subscriptions: SubscriptionEntry) -> None:
        self.subscriptions, self.memory = subscriptions, Memory()
        self.told: list[tuple[datetime, Notification]] = []

    def look(self, subjects: list[Subject], now: datetime) -> Routed:
        routed = route(subjects, self.subscriptions, self.memory, now)
        for one in routed.due:
            self.told.append((now, one))
            for said in one.said(now):
                self.memory.add(said)
        return routed

    def occasions(self) -> list[str]:
        return [one.occasion for _, one in self.told]


def test_each_state_is_told_once_and_the_same_again_is_nothing() -> None:
    world = World(s=entry())
    for now in (T0, T0 + MINUTE):
        world.look([subject()], now)
    taken = subject(state="acknowledged", occasion="acknowledged", revision=2)
    over = subject(state="resolved", occasion="resolved", revision=3)
    for step, each in enumerate((taken, taken, over, over)):
        world.look([each], T0 + (2 + step) * MINUTE)
    assert world.occasions() == ["opened", "acknowledged", "resolved"]
    assert len({one.notification_id for _, one in world.told}) == 3


def test_more_of_the_same_waits_for_the_interval_and_silence_for_none() -> None:
    world = World(s=entry(renotify="1h"))
    world.look([subject()], T0)
    held = world.look([subject(extent=9)], T0 + MINUTE)
    assert not held.due and held.deferred[0].reason == "renotify interval" and held.deferred[0].until == T0 + HOUR
    world.look([subject(extent=9)], T0 + HOUR)
    world.look([subject(extent=9)], T0 + 2 * HOUR)
    assert world.occasions() == ["opened", "changed", "renotified"]
    taken = subject(extent=9, state="acknowledged", occasion="acknowledged", revision=2)
    assert len(world.look([taken], T0 + 3 * HOUR - MINUTE).due) == 1, "what a person does is told at once"
    quiet = World(s=entry())
    assert quiet.look([subject(state="silenced")], T0).suppressed[0].reason == "silenced"


def test_one_who_never_heard_of_it_does_not_hear_that_it_is_over_but_a_program_does() -> None:
    over = subject(state="resolved", occasion="resolved", revision=2)
    world = World(people=entry(), program=entry(every=True))
    world.look([over], T0)
    assert [(one.subscription, one.occasion) for _, one in world.told] == [("program", "resolved")]


def test_every_tells_each_change_at_once() -> None:
    world = World(s=entry(every=True))
    for extent in (1, 2, 2, 5):
        world.look([subject(extent=extent)], T0)
    assert world.occasions() == ["opened", "changed", "changed"]
    assert len({one.notification_id for _, one in world.told}) == 3


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({"workflow": "de*"}, True),
        ({"workflow": ["x", "desk"]}, True),
        ({"workflow": "shop*"}, False),
        ({"family": "cost"}, True),
        ({"family": ["policy", "data"]}, False),
        ({"kind": "budget"}, False),
        ({"severity": "critical"}, False),
        ({"team": "ops"}, True),
        ({"environment": "prod*"}, False),
        ({}, True),
    ],
)
def test_a_match_fits_by_every_key_and_what_is_unknown_fits_none(match: dict[str, Any], fits: bool) -> None:
    world = World(s=entry(match=match))
    assert bool(world.look([subject(team="ops")], T0).due) is fits


def test_what_was_told_is_told_to_be_over_though_it_fits_no_more() -> None:
    world = World(s=entry(min_severity="warning"))
    world.look([subject()], T0)
    world.look([subject(state="resolved", occasion="resolved", revision=2, severity="info")], T0 + MINUTE)
    assert world.occasions() == ["opened", "resolved"]


def test_quiet_hours_hold_back_all_but_the_grave_and_then_tell_how_it_stands() -> None:
    nights = {"start": "22:00", "end": "07:00", "time_zone": "Europe/Zurich"}
    world = World(s=entry(quiet_hours=nights, renotify="1m"))
    night = datetime(2026, 9, 10, 21)  # 23:00 in Zurich
    held = world.look([subject(), subject("i2", severity="critical", workflow="shop")], night)
    assert [one.subject.subject_id for one in held.due if one.subject] == ["i2"]
    morning = datetime(2026, 9, 11, 5)
    assert held.deferred[0].until == morning and held.deferred[0].reason == "quiet hours"
    world.look([subject(state="resolved", occasion="resolved", revision=2), subject("i3", extent=4)], morning)
    assert [one.subject.subject_id for _, one in world.told if one.subject] == ["i2", "i3"]


def test_a_digest_gathers_what_changed_and_comes_once_a_turn() -> None:
    world = World(s=entry(digest="hourly"))
    fleet = [subject(f"i{n}", workflow=f"w{n}", severity=("info", "critical")[n % 2]) for n in range(4)]
    assert not world.look(fleet, T0 + 10 * MINUTE).due
    (gathered,) = world.look(fleet, T0 + HOUR).due
    assert gathered.occasion == "digest" and [one.occasion for one in gathered.items] == ["opened"] * 4
    assert [one.subject.severity for one in gathered.items if one.subject] == ["critical"] * 2 + ["info"] * 2
    late = subject("i9", changed_at=T0 + HOUR + MINUTE)
    assert not world.look([*fleet, late], T0 + HOUR + 2 * MINUTE).due
    (second,) = world.look([*fleet, late], T0 + 2 * HOUR).due
    assert [one.subject.subject_id for one in second.items if one.subject] == ["i9"]


def test_over_the_rate_the_rest_is_gathered_and_then_held() -> None:
    world = World(s=entry(rate_limit={"messages": 3, "per": "1h"}))
    fleet = [subject(f"i{n}", workflow=f"w{n}") for n in range(10)]
    due = world.look(fleet, T0).due
    assert [len(one.items) for one in due] == [0, 0, 8]
    held = world.look([*fleet, subject("late", workflow="late")], T0 + MINUTE)
    assert not held.due and [one.reason for one in held.deferred if one.subject_id == "late"] == ["rate limit"]
    assert len(world.look([subject("late", workflow="late")], T0 + HOUR).due) == 1


def test_it_escalates_once_when_nobody_takes_it_and_tells_there_that_it_is_over() -> None:
    world = World(s=entry(escalate={"after": "30m", "to": "pager"}, renotify="1d"))
    waits = world.look([subject()], T0), world.look([subject()], T0 + 29 * MINUTE)
    (wait,) = (one for one in waits[1].deferred if one.channel == "pager")
    assert (wait.reason, wait.until) == ("time to acknowledge", T0 + 30 * MINUTE)
    for now in (T0 + 30 * MINUTE, T0 + 40 * MINUTE):
        world.look([subject()], now)
    world.look([subject(state="resolved", occasion="resolved", revision=2)], T0 + HOUR)
    told = [(one.channel, one.occasion) for _, one in world.told]
    assert told == [("chat", "opened"), ("pager", "escalated"), ("chat", "resolved"), ("pager", "resolved")]
    taken = World(s=entry(escalate={"after": "30m", "to": "pager"}))
    taken.look([subject()], T0)
    taken.look([subject(state="acknowledged", occasion="acknowledged", revision=2)], T0 + MINUTE)
    taken.look([subject(state="acknowledged", occasion="acknowledged", revision=2)], T0 + HOUR)
    assert taken.occasions() == ["opened", "acknowledged"]


def test_a_condition_counts_its_states_by_what_was_told() -> None:
    world = World(s=entry(renotify="1m"))
    states = ("resolved", "open", "resolved", "open", "resolved")
    for step, state in enumerate(states):
        occasion = "opened" if state == "open" else "resolved"
        world.look([subject(revision=None, state=state, occasion=occasion, kind="forecast")], T0 + step * HOUR)
    assert [one.revision for _, one in world.told] == [1, 2, 3, 4]
    assert len({one.notification_id for _, one in world.told}) == 4


def test_what_happened_is_told_once() -> None:
    world = World(s=entry(renotify="1m"))
    for hours in range(4):
        world.look([subject(revision=None, is_instant=True, kind="budget")], T0 + hours * HOUR)
    assert world.occasions() == ["opened"]


def test_a_storm_of_ten_thousand_signals_is_one_message_per_workflow_and_subscription_and_interval() -> None:
    world = World(a=entry(renotify="1h"), b=entry(renotify="1h", to=["chat"], min_severity="warning"))
    looks = 200
    for step in range(looks):
        # 10,000 signals of five workflows within two hours, a new incident of each every 20 minutes.
        fleet = [
            subject(f"w{w}-{n}", workflow=f"w{w}", extent=1 + step * 10, opened_at=T0 + n * 20 * MINUTE)
            for w in range(5)
            for n in range(1 + step * 2 * 60 // looks // 20)
        ]
        world.look(fleet, T0 + step * 2 * HOUR / looks)
    _assert_at_most_one_an_interval(world, HOUR)
    assert 10 <= len(world.told) <= 5 * 2 * 2, "one at once, one after an hour, for each workflow and subscription"


def _assert_at_most_one_an_interval(world: World, interval: timedelta) -> None:
    times: defaultdict[tuple[str, str, str | None], list[datetime]] = defaultdict(list)
    for at, one in world.told:
        inner = (one.subject, *(item.subject for item in one.items))
        if one.occasion in (*AUTOMATIC, "digest"):
            (workflow,) = {each.workflow for each in inner if each is not None}
            times[one.subscription, one.channel, workflow].append(at)
    for each in times.values():
        assert all(later - earlier >= interval for earlier, later in pairwise(each))


STEP = st.tuples(
    st.integers(0, 90),  # minutes until the next look
    st.sampled_from(["i1", "i2", "i3"]),
    st.sampled_from(["open", "acknowledged", "silenced", "resolved", "more"]),
)


@given(st.lists(STEP, max_size=30), st.sampled_from([{}, {"digest": "hourly"}, {"every": True}]))
def test_nothing_is_told_twice_and_the_last_state_is_told_in_the_end(
    steps: list[tuple[int, str, str]], more: dict[str, Any]
) -> None:
    world, again = World(s=entry(**more)), World(s=entry(**more))
    fleet: dict[str, Subject] = {}
    now = T0
    for minutes, name, what in steps:
        now += minutes * MINUTE
        was = fleet.get(name, subject(name, opened_at=now, changed_at=now))
        if what == "more":
            fleet[name] = replace(was, extent=was.extent + 1)
        elif what != was.state:
            revision = (was.revision or 1) + 1
            fleet[name] = replace(was, state=what, occasion=what, revision=revision, changed_at=now)
        else:
            fleet[name] = was
        for each in (world, again):
            each.look(list(fleet.values()), now)
    world.look(list(fleet.values()), now + DAY)
    ids = [item.notification_id for _, one in world.told for item in (one, *one.items)]
    assert len(ids) == len(set(ids)), "nothing twice"
    first = [one.notification_id for _, one in world.told]
    assert [one.notification_id for _, one in again.told] == first[: len(again.told)]
    told = {said.subject_id: said.state for said in world.memory.last.values()}
    for name, each in fleet.items():
        assert told.get(name) == each.state or (name not in told and each.state in ("silenced", "resolved"))
    if not more:
        _assert_at_most_one_an_interval(world, 4 * HOUR)


@given(st.permutations([subject(f"i{n}", workflow=f"w{n % 2}") for n in range(6)]))
def test_the_order_of_subjects_changes_nothing(fleet: list[Subject]) -> None:
    now = T0 + MINUTE
    assert route(fleet, {"s": entry()}, Memory(), now) == route(
        sorted(fleet, key=lambda one: one.subject_id), {"s": entry()}, Memory(), now
    )

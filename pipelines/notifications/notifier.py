"""The host of notifications: looks at what may be told of, writes down what is to be told, hands it to the channels' threads.

The worker that detects calls :meth:`Notifier.tick` after each batch and when idle; where no worker runs, ``plumbline alerts
deliver`` does. A lease sees to it that one of them delivers. The order of a look, and what a crash after each step leaves:

1. Silences that have ended end. (They have.)
2. What is due is written to ``notifications``, ids and texts included. (The next look finds it said.)
3. It is handed to its channel's thread, which sends it. (It is sent again under the same id.)
4. The answer is written to ``delivery_attempts`` and ``notifications``. (As before.)
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from pipelines.alerts import lifecycle
from pipelines.contracts.subscriptions import SubscriptionEntry
from pipelines.lease import Lease
from pipelines.notifications import outbox, subjects
from pipelines.notifications.composing import message_of
from pipelines.notifications.delivery import ChannelThread, Tried, attempt
from pipelines.notifications.memory import Memory
from pipelines.notifications.message import Channel
from pipelines.notifications.outbox import Attempt, Waiting
from pipelines.notifications.routing import Notification, Routed, route
from pipelines.notifications.subject import Subject
from pipelines.settings import Settings
from pipelines.sources.kafka import utc_now
from warehouse import Warehouse

#: How often the warehouse is asked whether anybody changed an incident, in seconds.
LOOK_SECONDS = 1.0
#: How often conditions are looked at: their queries read marts, which change when they are refreshed.
CONDITIONS_SECONDS = 60.0
#: How often it is looked for what other processes let wait again.
_WAITING_SECONDS = 5.0
#: Rows are looked for from this long before the last look on: by as much may a clock have been set back.
_CLOCK_STEP = timedelta(hours=1)
_SILENCE_ENDS = "SELECT min(silenced_until) FROM incidents WHERE state = 'silenced'"
_STATE = "SELECT bit_xor(hash(incident_id, updated_at, state)) FROM incidents"


class Notifier:
    """Notifications of one home, for as long as this process holds the lease on delivery.

    Parameters
    ----------
    subscriptions : mapping
        By name; with none, nothing is told.
    channels : mapping
        By name, all that the subscriptions name.
    tell : callable
        Gets one line about what an operator should know.
    tried : callable
        Gets each try once it is written down.
    """

    def __init__(
        self,
        settings: Settings,
        warehouse: Warehouse,
        subscriptions: Mapping[str, SubscriptionEntry] | None = None,
        channels: Mapping[str, Channel] | None = None,
        *,
        tell: Callable[[str], None] = lambda _: None,
        tried: Callable[[Attempt], None] = lambda _: None,
    ) -> None:
        self._settings, self._warehouse = settings, warehouse
        self._subscriptions, self._channels = dict(subscriptions or {}), dict(channels or {})
        self._tell, self._tried = tell, tried
        self.lease = Lease(settings.home / "delivery.lock")
        self._threads: dict[str, ChannelThread] = {}
        self._answers: queue.SimpleQueue[Tried] = queue.SimpleQueue()
        self._begin_afresh()

    def _begin_afresh(self) -> None:
        self._memory = Memory()
        self._waiting: dict[str, Waiting] = {}
        self._in_hand: set[str] = set()
        self._unsaved: list[Attempt] = []
        self._conditions: list[Subject] = []
        self._state: int | None = None
        self._looked_at = datetime.min
        self._wake_at = datetime.min
        self._told_of: set[str] = set()
        self._looked = self._read_conditions = self._read_waiting = float("-inf")

    def tick(self, now: datetime, *, changed: bool = False) -> None:
        """Do what is to be done now, if this process holds the lease or gets it; where that is nothing, nothing is written.

        Safe to call again after any error: what was not written down is done again.

        Parameters
        ----------
        now : datetime
            UTC without a zone.
        changed : bool
            Whether the caller knows of something new: then it is looked at once.
        """
        if not self._subscriptions or not self._leads(now):
            return
        self._settle(now)
        if changed or time.monotonic() - self._looked >= LOOK_SECONDS:
            self._look(now, changed=changed)
        self._hand(now)

    def conditions_changed(self) -> None:
        """Let the next look read the conditions too, however lately they were read."""
        self._read_conditions = float("-inf")

    def _leads(self, now: datetime) -> bool:
        if not self.lease.held and self.lease.take():
            self._begin_afresh()
            try:
                self._memory = outbox.remembered(self._warehouse, now)
                self._take_up_waiting()
            except BaseException:
                self.lease.release()
                raise
        return self.lease.held

    def _take_up_waiting(self) -> None:
        self._waiting = {one.notification_id: one for one in outbox.waiting(self._warehouse)}
        self._read_waiting = time.monotonic()

    def _settle(self, now: datetime) -> None:
        """Write down the answers that have come."""
        while True:
            try:
                tried = self._answers.get_nowait()
            except queue.Empty:
                break
            self._in_hand.discard(tried.waiting.notification_id)
            self._unsaved.append(attempt(tried, now))
        if not self._unsaved:
            return
        outbox.note(self._warehouse, self._unsaved)
        noted, self._unsaved = self._unsaved, []
        for one in noted:
            known = self._waiting.get(one.notification_id)
            if known is not None and one.next_try_at is not None:
                # In its old place: what was made after it about the same subject waits behind it.
                again = replace(known, tries=one.tries, next_try_at=one.next_try_at)
                self._waiting[one.notification_id] = again
            else:
                self._waiting.pop(one.notification_id, None)
            if one.status == "set_aside":
                self._tell(
                    f"notification {one.notification_id} to {one.channel} is set aside after {one.tries} "
                    f"tr{'y' if one.tries == 1 else 'ies'} ({one.said}): `plumbline alerts deliveries --set-aside`"
                )
            self._tried(one)

    def _look(self, now: datetime, *, changed: bool) -> None:
        """See whether anything is due, and write it down."""
        began = time.monotonic()
        conditions_due = began - self._read_conditions >= CONDITIONS_SECONDS
        if began - self._read_waiting >= _WAITING_SECONDS:
            self._take_up_waiting()
        state = self._warehouse.query(_STATE).item()
        if changed or state != self._state or conditions_due or now >= self._wake_at:
            if conditions_due:
                self._conditions = subjects.conditions(self._warehouse, now)
                self._read_conditions = began
            self._write(self._routed(now), now)
            self._state = state
        self._looked = began

    def _routed(self, now: datetime) -> Routed:
        lifecycle.end_silences(self._warehouse, now)
        told = [one.subject_id for one in self._memory.last.values() if one.state != "resolved"]
        # What was over before anything is remembered was told then.
        since = now - outbox.REMEMBERED if self._looked_at == datetime.min else self._looked_at - _CLOCK_STEP
        found = subjects.incident_subjects(self._warehouse, since, sorted(set(told)))
        return route([*found, *self._conditions], self._subscriptions, self._memory, now)

    def _write(self, routed: Routed, now: datetime) -> None:
        made = [(one, said) for one in routed.due for said in one.said(now)]
        messages = {one.notification_id: message_of(one, self._settings.dashboard_url) for one in _with_items(routed)}
        if made:
            outbox.add(self._warehouse, [(said, messages[said.notification_id]) for _, said in made])
            for _, said in made:
                self._memory.add(said)
            for one in routed.due:
                text = outbox.as_text(messages[one.notification_id])
                subject_id = messages[one.notification_id].subject_id
                self._waiting[one.notification_id] = Waiting(one.notification_id, one.channel, subject_id, text, 0, now)
        self._looked_at = now
        ends = [held.until for held in routed.deferred] + [self._warehouse.query(_SILENCE_ENDS).item()]
        self._wake_at = min((end for end in ends if end is not None), default=datetime.max)

    def _hand(self, now: datetime) -> None:
        """Give the channels what is due, of each subject one after the other: nobody hears that it is over before it began."""
        busy = {(one.channel, one.subject_id) for name, one in self._waiting.items() if name in self._in_hand}
        for name, one in list(self._waiting.items()):
            key = (one.channel, one.subject_id)
            if name in self._in_hand or key in busy:
                continue
            busy.add(key)
            if one.next_try_at > now:
                continue
            if one.channel not in self._channels:
                self._tell_once(f"notifications wait for channel {one.channel!r}, which no subscription names any more")
                continue
            if one.channel not in self._threads:
                self._threads[one.channel] = ChannelThread(self._channels[one.channel], self._answers.put)
            if self._threads[one.channel].hand(one, outbox.from_text(one.message)):
                self._in_hand.add(name)

    def _tell_once(self, line: str) -> None:
        if line not in self._told_of:
            self._told_of.add(line)
            self._tell(line)

    def flush(self, patience_seconds: float) -> None:
        """Look and deliver until nothing is due any more, for so long at most: what is left is sent by whoever delivers next."""
        until = time.monotonic() + patience_seconds
        self.tick(utc_now(), changed=True)
        while self.lease.held and time.monotonic() < until and (self._in_hand or self._is_due()):
            time.sleep(0.01)
            self.tick(utc_now())

    def _is_due(self) -> bool:
        now = utc_now()
        return any(one.next_try_at <= now and one.channel in self._channels for one in self._waiting.values())

    def close(self, patience_seconds: float = 2.0) -> None:
        """End the channels' threads, write down what they answered, and leave delivery to whoever takes it next."""
        until = time.monotonic() + patience_seconds
        for thread in self._threads.values():
            thread.end()
        for thread in self._threads.values():
            thread.join(until - time.monotonic())
        self._threads.clear()
        try:
            if self.lease.held:
                self._settle(utc_now())
        finally:
            self.lease.release()


def _with_items(routed: Routed) -> list[Notification]:
    return [each for one in routed.due for each in (one, *one.items)]

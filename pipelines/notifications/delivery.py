"""The ways out, a thread each: what one channel takes or refuses, and how long that takes, is no business of the others.

The threads know messages and answers; the warehouse is the notifier's alone.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.notifications.message import Answer, Channel, Message, Verdict
from pipelines.notifications.outbox import Attempt, Waiting
from pipelines.sources.kafka import utc_now

#: Messages handed to a channel ahead of its answers; the rest waits in the warehouse.
QUEUE = 64
#: Backoff before try n: this doubled each time, up to the longest, with full jitter.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 2.0, 1800.0
#: A channel that asks for more patience than this is asked again after it.
LONGEST_ASKED_SECONDS = 6 * 3600.0
#: So many tries take 7.5 hours on average: what no channel took in that time is set aside.
MOST_TRIES = 40


@dataclass(frozen=True, slots=True)
class Tried:
    """One try and its answer."""

    waiting: Waiting
    began_at: datetime
    seconds: float
    answer: Answer


class ChannelThread:
    """One channel with its queue; answers come back through a function that any thread may call."""

    def __init__(self, channel: Channel, answered: Callable[[Tried], None]) -> None:
        self._channel, self._answered = channel, answered
        self._queue: queue.Queue[tuple[Waiting, Message] | None] = queue.Queue(QUEUE)
        self._thread = threading.Thread(target=self._run, name=f"channel {channel.name}", daemon=True)
        self._thread.start()

    def hand(self, waiting: Waiting, message: Message) -> bool:
        """Return whether there was room for it."""
        try:
            self._queue.put_nowait((waiting, message))
        except queue.Full:
            return False
        return True

    def end(self) -> None:
        """Ask it to end after what is in hand; what waits behind that is sent by whoever delivers next."""
        with suppress(queue.Empty):
            while True:
                self._queue.get_nowait()
        self._queue.put_nowait(None)

    def join(self, patience_seconds: float) -> None:
        """Wait for its end for so long."""
        self._thread.join(max(0.0, patience_seconds))

    def _run(self) -> None:
        while (given := self._queue.get()) is not None:
            waiting, message = given
            began_at, began = utc_now(), time.monotonic()
            try:
                answer = self._channel.send(message)
            except Exception as error:
                # A channel answers whatever goes wrong; one that does not has a fault, and must not take its thread along.
                answer = Answer(Verdict.RETRY, f"the channel failed ({type(error).__name__})")
            self._answered(Tried(waiting, began_at, time.monotonic() - began, answer))
        self._channel.close()


def attempt(tried: Tried, now: datetime, jitter: Callable[[], float] = random.random) -> Attempt:
    """Return what follows from an answer: taken, set aside, or when to try again.

    Parameters
    ----------
    jitter : callable
        Gives a number in [0, 1): the whole wait is drawn, so that many senders do not come back together.
    """
    answer, tries = tried.answer, tried.waiting.tries + 1
    status, next_try_at = "delivered", None
    if answer.verdict is Verdict.REJECTED or (answer.verdict is Verdict.RETRY and tries >= MOST_TRIES):
        status = "set_aside"
    elif answer.verdict is Verdict.RETRY:
        status = "waiting"
        wait = jitter() * min(FIRST_WAIT_SECONDS * 2 ** (tries - 1), LONGEST_WAIT_SECONDS)
        if answer.retry_after_seconds is not None:
            wait += min(max(0.0, answer.retry_after_seconds), LONGEST_ASKED_SECONDS)
        next_try_at = now + timedelta(seconds=wait)
    return Attempt(
        tried.waiting.notification_id,
        tried.waiting.channel,
        tried.began_at,
        1000 * tried.seconds,
        str(answer.verdict),
        answer.said[:500],
        answer.retry_after_seconds,
        status,
        tries,
        next_try_at,
    )

"""The notifier on a real warehouse: at least once, in order, nothing written where nothing is due, no channel delays another."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.alerts import lifecycle, store
from pipelines.commands.context import open_warehouse
from pipelines.contracts.subscriptions import SubscriptionEntry
from pipelines.errors import TerminalError
from pipelines.notifications import notifier as notifiers
from pipelines.notifications import outbox
from pipelines.notifications.delivery import MOST_TRIES, Tried, attempt
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.notifications.notifier import Notifier
from pipelines.notifications.outbox import Waiting, as_text, from_text
from pipelines.settings import Settings
from pipelines.sources.kafka import utc_now
from warehouse import Warehouse

AT = datetime(2026, 9, 10)
HOSTILE = "{{7*7}} <!channel> \x1b[31m'; DROP TABLE notifications; -- \u202e"
TAKEN = Answer(Verdict.DELIVERED, "HTTP 202")


class Receiver:
    """A channel that keeps what it is told, and answers as it is told to."""

    def __init__(self, name: str = "chat", answers: list[Answer] | None = None) -> None:
        self.name, self.answers = name, answers or []
        self.told: list[Message] = []
        self.gate: threading.Event | None = None

    def send(self, message: Message) -> Answer:
        if self.gate is not None:
            self.gate.wait()
        self.told.append(message)
        return self.answers.pop(0) if self.answers else TAKEN

    def close(self) -> None:
        pass


def signal(workflow: str = "desk", metric: str = "tool_error", hours: float = 0) -> dict[str, Any]:
    at = AT + timedelta(hours=hours)
    stream = {"workflow": workflow, "family": "tool", "metric": metric, "dimension": "", "kind": "rate"}
    return {**stream, "at": at, "onset_at": AT, "log_e": 20.0, "headline": f"{HOSTILE} changed", "run_ids": ["r"]}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("empty")
    open_warehouse(Settings(home=home)).close()
    return home


@pytest.fixture
def settings(empty: Path, tmp_path: Path) -> Settings:
    return Settings(home=shutil.copytree(empty, tmp_path / "home"), dashboard_url="https://plumbline.example/board")


@pytest.fixture
def warehouse(settings: Settings) -> Iterator[Warehouse]:
    with open_warehouse(settings) as opened:
        yield opened


def entry(**more: Any) -> SubscriptionEntry:
    return SubscriptionEntry.model_validate({"to": "chat", **more})


def notifier(settings: Settings, warehouse: Warehouse, *channels: Receiver, **more: Any) -> Notifier:
    names = [channel.name for channel in channels]
    return Notifier(
        settings, warehouse, {"s": entry(to=names, **more)}, {channel.name: channel for channel in channels}
    )


def rows(warehouse: Warehouse, columns: str = "status, tries") -> list[tuple[Any, ...]]:
    return warehouse.query(f"SELECT {columns} FROM notifications ORDER BY made_at, notification_id").rows()


def snapshot(warehouse: Warehouse) -> int:
    return warehouse.query("SELECT id FROM ducklake_current_snapshot('lake')").item()


def test_a_life_is_told_in_order_with_one_id_a_state(settings: Settings, warehouse: Warehouse) -> None:
    chat = Receiver()
    host = notifier(settings, warehouse, chat)
    store.record([signal()], warehouse)
    host.flush(10)
    name = store.incidents(warehouse.connection)[0].incident_id
    lifecycle.acknowledge(warehouse, name, by=HOSTILE, why="looking")
    host.flush(10)
    lifecycle.resolve(warehouse, name)
    host.flush(10)
    host.flush(10)
    host.close()
    assert [(one.occasion, one.state, one.subject_id) for one in chat.told] == [
        ("opened", "open", name),
        ("acknowledged", "acknowledged", name),
        ("resolved", "resolved", name),
    ]
    assert chat.told[0].link == f"https://plumbline.example/board/drift?workflow=desk&incident={name}"
    assert ("Said by", HOSTILE) in chat.told[1].details and chat.told[1].headline.startswith(HOSTILE)
    assert rows(warehouse) == [("delivered", 1)] * 3
    log = warehouse.query("SELECT verdict, said FROM delivery_attempts").rows()
    assert log == [("delivered", "HTTP 202")] * 3


def test_where_nothing_is_due_nothing_is_written(settings: Settings, warehouse: Warehouse) -> None:
    host = notifier(settings, warehouse, Receiver())
    store.record([signal()], warehouse)
    host.flush(10)
    before = snapshot(warehouse)
    for _ in range(20):
        host.tick(utc_now(), changed=True)
    host.close()
    assert snapshot(warehouse) == before


def test_who_takes_over_sends_what_was_written_down_and_nothing_twice(settings: Settings, warehouse: Warehouse) -> None:
    first = notifier(settings, warehouse, Receiver())
    store.record([signal()], warehouse)
    first.tick(utc_now(), changed=True)
    first._threads.clear()  # it died: what it was answered is not written down
    first.lease.release()
    chat = Receiver()
    second = notifier(settings, warehouse, chat)
    second.flush(10)
    second.flush(10)
    second.close()
    assert len(chat.told) == 1 and rows(warehouse) == [("delivered", 1)]
    assert rows(warehouse, "notification_id") == [(chat.told[0].notification_id,)]


def test_only_one_of_a_home_delivers(settings: Settings, warehouse: Warehouse) -> None:
    chat, other = Receiver(), Receiver()
    host, idle = notifier(settings, warehouse, chat), notifier(settings, warehouse, other)
    store.record([signal()], warehouse)
    host.tick(utc_now(), changed=True)
    idle.flush(1)
    host.flush(10)
    host.close()
    idle.close()
    assert len(chat.told) == 1 and not other.told


def test_a_dead_channel_delays_no_other(settings: Settings, warehouse: Warehouse) -> None:
    chat, dead = Receiver(), Receiver("dead")
    dead.gate = threading.Event()
    host = notifier(settings, warehouse, chat, dead)
    store.record([signal(workflow=f"w{n}") for n in range(100)], warehouse)
    host.flush(0)
    for _ in range(3000):
        host.tick(utc_now())
        if len(chat.told) == 100:
            break
        threading.Event().wait(0.01)
    assert len(chat.told) == 100 and not dead.told
    dead.gate.set()
    host.flush(60)
    host.close()
    assert len(dead.told) == 100 and {one[0] for one in rows(warehouse)} == {"delivered"}


def test_it_is_tried_again_later_and_what_follows_waits_behind_it(
    settings: Settings, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifiers, "attempt", lambda tried, now: attempt(tried, now, jitter=lambda: 0.0))
    chat = Receiver(answers=[Answer(Verdict.RETRY, "HTTP 503")] * 3)
    host = notifier(settings, warehouse, chat)
    store.record([signal()], warehouse)
    host.tick(utc_now(), changed=True)
    lifecycle.acknowledge(warehouse, store.incidents(warehouse.connection)[0].incident_id)
    host.flush(10)
    host.close()
    assert [one.state for one in chat.told] == ["open"] * 4 + ["acknowledged"]
    assert len({one.notification_id for one in chat.told}) == 2
    assert rows(warehouse) == [("delivered", 4), ("delivered", 1)]


def test_poison_is_set_aside_listed_and_resendable_and_the_rest_goes_on(
    settings: Settings, warehouse: Warehouse
) -> None:
    chat = Receiver(answers=[Answer(Verdict.REJECTED, "HTTP 400: too odd")])
    host = notifier(settings, warehouse, chat)
    store.record([signal()], warehouse)
    host.flush(10)
    store.record([signal("shop")], warehouse)
    host.flush(10)
    assert rows(warehouse) == [("set_aside", 1), ("delivered", 1)]
    with pytest.raises(TerminalError, match="no notification set aside begin so"):
        outbox.resend(warehouse, ["zz"])
    (again,) = outbox.resend(warehouse, [chat.told[0].notification_id[:8]])
    host.close()
    host = notifier(settings, warehouse, chat)
    host.flush(10)
    host.close()
    assert chat.told[-1].notification_id == again == chat.told[0].notification_id
    assert rows(warehouse) == [("delivered", 1), ("delivered", 1)]


def test_a_channel_that_raises_is_a_try_that_failed(settings: Settings, warehouse: Warehouse) -> None:
    class Broken(Receiver):
        def send(self, message: Message) -> Answer:
            raise RuntimeError(HOSTILE)

    host = notifier(settings, warehouse, Broken())
    store.record([signal()], warehouse)
    host.flush(10)
    host.close()
    assert [row[0] for row in rows(warehouse)] == ["waiting"]
    said = warehouse.query("SELECT DISTINCT said FROM delivery_attempts").rows()
    assert said == [("the channel failed (RuntimeError)",)]


def test_a_silence_that_ends_is_told(settings: Settings, warehouse: Warehouse) -> None:
    chat = Receiver()
    host = notifier(settings, warehouse, chat, every=True)
    store.record([signal()], warehouse)
    host.flush(10)
    name = store.incidents(warehouse.connection)[0].incident_id
    lifecycle.silence(warehouse, name, until=utc_now() + timedelta(hours=1), why="known")
    host.flush(10)
    for _ in range(3):
        host._looked = float("-inf")  # as if time had passed
        host.tick(utc_now())
    host._looked = float("-inf")
    host.tick(utc_now() + timedelta(hours=2))
    host.flush(10)
    host.close()
    assert [one.state for one in chat.told] == ["open", "silenced", "open"]


def _tried(answer: Answer, tries: int = 0) -> Tried:
    return Tried(Waiting("n", "chat", "i", "", tries, AT), AT, 0.1, answer)


def test_the_wait_doubles_with_full_jitter_and_respects_what_the_other_side_asks() -> None:
    def wait(tries: int, asked: float | None = None, jitter: float = 1.0) -> float:
        answer = Answer(Verdict.RETRY, "HTTP 429", asked)
        at = attempt(_tried(answer, tries), AT, jitter=lambda: jitter).next_try_at
        assert at is not None
        return (at - AT).total_seconds()

    assert [wait(tries) for tries in (0, 1, 2, 20)] == [2, 4, 8, 1800]
    assert wait(3, jitter=0.0) == 0 and wait(0, asked=120.0, jitter=0.0) == 120 and wait(0, asked=1e9) <= 6 * 3600 + 2
    last = attempt(_tried(Answer(Verdict.RETRY, "no"), MOST_TRIES - 1), AT)
    assert (last.status, last.next_try_at) == ("set_aside", None)


def test_a_message_is_the_same_after_the_warehouse() -> None:
    inner = Message("a", "s", "drift", "i", "opened", "open", "warning", HOSTILE, AT, AT, details=(("L", HOSTILE),))
    outer = Message("b", "s", "digest", "b", "digest", "open", "warning", "2", AT, AT, data={"x": [1]}, items=(inner,))
    assert from_text(as_text(outer)) == outer

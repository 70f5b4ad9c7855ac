"""What lets several workers share a home: the lease on detection, the fence in the commit, patience with outages."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines import batch as batches
from pipelines import lease
from pipelines.errors import TransientError
from pipelines.lease import Lease
from pipelines.notifications.notifier import Notifier
from pipelines.outage import Patience
from pipelines.settings import Settings
from pipelines.sources.files import FileSource
from pipelines.stream import Stream
from tests.pipelines.otlp import as_protobuf, messages, request, span
from warehouse import Limits, Warehouse, WarehouseBusyError

CHAT = {"gen_ai.operation.name": "chat", "plumbline.outcome.status": "success"}


def test_one_worker_holds_the_lease_until_its_process_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "TRY_SECONDS", 0.0)
    path = tmp_path / "detection.lock"
    hold = (
        "import sys, time; from pathlib import Path; from pipelines.lease import Lease; l = Lease(Path(sys.argv[1]));"
        "print(l.take(), flush=True); time.sleep(1000)"
    )
    with subprocess.Popen([sys.executable, "-c", hold, str(path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "True\n"
        mine = Lease(path)
        assert not mine.take() and not mine.held
        other.send_signal(signal.SIGSTOP)
        assert not mine.take(), "one that is only stopped keeps it"
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert mine.take() and mine.held
    assert not mine.take(), "it is taken once"
    mine.release()
    assert not mine.held and mine.take()
    mine.release()


def numbered(*offsets: int, broken: int) -> batches.Batch:
    """A batch of these offsets of one partition, one span or one dead letter each."""
    values = [
        b"\xff\xff" if number == broken else as_protobuf(request(span(CHAT, trace_id=f"{number + 1:032x}", parent="")))
        for number in range(max(offsets) + 1)
    ]
    return batches.prepare(messages(*values)[list(offsets)], Settings())


def test_a_worker_that_lost_its_partition_commits_only_what_lies_beyond_the_new_owners_offset(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path) as warehouse:
        stale = numbered(0, 1, 2, 3, 4, 5, broken=1)
        assert len(batches.commit(numbered(0, 1, 2, 3, broken=1), warehouse).spans) == 3
        fresh = batches.commit(stale, warehouse)
        assert fresh.before == {("otlp_spans", 0): 4}
        assert fresh.spans["offset"].to_list() == [4, 5] and fresh.dead_letters.is_empty()
        assert len(fresh.facts["outcomes"]) == 2
        again = batches.commit(numbered(0, 1, 2, broken=1), warehouse)
        assert again.spans.is_empty() and again.dead_letters.is_empty() and again.positions == {}
        assert batches.positions(warehouse) == {("otlp_spans", 0): 6}
        stored = warehouse.query('SELECT "offset" FROM spans ORDER BY "offset"')["offset"].to_list()
        assert stored == [0, 2, 3, 4, 5]
        assert warehouse.query('SELECT "offset" FROM dead_letters')["offset"].to_list() == [1]


def test_a_message_that_was_polled_twice_counts_once() -> None:
    once, twice = numbered(0, 1, 2, broken=1), numbered(0, 1, 2, 0, 1, 2, broken=1)
    assert twice.messages == once.messages == 3 and twice.received == once.received == 2
    assert twice.dead_letters["offset"].to_list() == [1]
    assert twice.spans["offset"].to_list() == [0, 2] and twice.repeated.is_empty() and not twice.shares_ids


def test_offsets_without_a_message_are_noted_and_never_go_back(tmp_path: Path) -> None:
    with Warehouse.open(tmp_path) as warehouse:
        batches.commit(numbered(0, 1, 2, broken=9), warehouse)
        batches.advance({("otlp_spans", 0): 5, ("otlp_spans", 1): 1}, warehouse)
        batches.advance({("otlp_spans", 0): 4}, warehouse)
        assert batches.positions(warehouse) == {("otlp_spans", 0): 5, ("otlp_spans", 1): 1}


def test_who_is_told_to_end_waits_for_no_lock_any_more(tmp_path: Path) -> None:
    limits = Limits(turn_wait_s=1e6)
    with Warehouse.open(tmp_path, limits=limits) as warehouse, (tmp_path / "writing.lock").open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        warehouse.give_up_at = time.monotonic()
        with pytest.raises(WarehouseBusyError):
            warehouse.transaction(lambda connection: connection.execute("SELECT 1"))


class Failing:
    """Fails so often, then answers."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> str:
        if self.left:
            self.left -= 1
            raise TransientError("no answer", "there", "wait")
        return "answer"


def test_an_outage_is_told_once_at_its_beginning_and_once_at_its_end() -> None:
    told: list[str] = []
    assert Patience(60, told.append, lambda: False).through(Failing(3)) == "answer"
    assert told[0] == "no answer (there): wait; trying again for up to 60 s"
    assert len(told) == 2 and told[1].startswith("went on after an outage of ")


@pytest.mark.parametrize(("seconds", "stopping"), [(0.3, False), (1e6, True), (0, False)])
def test_patience_ends_with_its_time_or_with_the_worker(seconds: float, stopping: bool) -> None:
    with pytest.raises(TransientError, match="no answer"):
        Patience(seconds, lambda _: None, lambda: stopping).through(Failing(1000))


class Silent(FileSource):
    """Does not answer when it is first asked for its end."""

    asked = 0

    def at_end(self) -> bool:
        self.asked += 1
        if self.asked == 1:
            raise TransientError("no answer", "there", "wait")
        return super().at_end()


def test_what_is_in_hand_is_committed_when_the_log_stops_answering(tmp_path: Path) -> None:
    record = as_protobuf(request(span(CHAT, parent="")))
    (tmp_path / "one.binpb").write_bytes(bytes([len(record) & 0x7F | 0x80, len(record) >> 7]) + record)
    settings = Settings(home=tmp_path / "home")
    source = Silent([str(tmp_path / "one.binpb")])
    with Warehouse.open(settings.warehouse) as warehouse:
        notifier = Notifier(settings, warehouse)
        progress = Stream(settings, source, warehouse, notifier, lambda _: None).run(until_end=True)
    assert source.asked > 1 and (progress.spans, progress.dead_letters) == (1, 0)

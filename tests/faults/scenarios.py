"""The faults: each does its harm to a worker over the ground's log, lets the product recover, and compares."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pipelines.broker import Broker
from tests.faults.ground import Ground, Result, consumed
from warehouse.upkeep.catalog import copy_catalog

#: Point, and how often it is passed in a run of this log at least: the death comes at one of these passings.
POINTS = {
    "polled": 8,
    "prepared": 8,
    "deduplicated": 8,
    "all rows inserted": 8,
    "committed": 8,
    "observed": 1,
    "recording": 1,
    "recorded": 1,
    "told": 1,
    "published": 2,
    "delivered": 1,
    "checkpoint written": 3,
    "checkpointed": 3,
}
#: Longer than any fault here lasts: then it hangs.
_PATIENCE = 180.0


class Wrong(AssertionError):
    """The product did not end as it should have."""


def between_steps(ground: Ground, seed: int) -> Result:
    """The worker dies between two steps: at a named point."""
    rng = random.Random(f"steps {seed}")
    point = list(POINTS)[seed % len(POINTS)]
    return _killed(ground, rng, point, rng.randint(1, POINTS[point]), 0)


def any_moment(ground: Ground, seed: int) -> Result:
    """The worker dies at any moment of its run."""
    rng = random.Random(f"moment {seed}")
    return _killed(ground, rng, "running", 1, rng.uniform(1, 2500))


def mid_commit(ground: Ground, seed: int) -> Result:
    """The worker dies within the milliseconds of a commit."""
    rng = random.Random(f"commit {seed}")
    return _killed(ground, rng, "committing", rng.randint(1, 16), rng.uniform(0.1, 20))


def _killed(ground: Ground, rng: random.Random, point: str, nth: int, delay_ms: float) -> Result:
    with ground.trial() as home:
        worker = ground.start(ground.settings(home), point, nth, delay_ms)
        kills = _ended(worker, -signal.SIGKILL, 0)
        if rng.random() < 0.2:  # and once more on the way back
            worker = ground.start(ground.settings(home), "running", 1, rng.uniform(1, 1500))
            kills += _ended(worker, -signal.SIGKILL, 0)
        ground.finish(home)
        return ground.compare(home, kills)


def deliverer(ground: Ground, seed: int) -> Result:
    """Who delivers dies: the worker while it tells of incidents, then `alerts deliver` after people have changed some."""
    rng = random.Random(f"deliverer {seed}")
    with ground.trial() as home:
        settings = ground.settings(home, alerts_topic=ground.new_topic())
        kills = _ended(ground.start(settings, *_death_of_deliverer(rng, "running")), -signal.SIGKILL, 0)
        ground.finish(home, settings)
        result = ground.compare(home, 0)
        ground.act(home, rng)
        for _ in range(2):
            dying = ground.start(settings, *_death_of_deliverer(rng, "flushing"), command=DELIVER)
            kills += _ended(dying, -signal.SIGKILL, 0)
        _ended(ground.start(settings, command=DELIVER), 0)
        return replace(result, kills=kills, notifications=ground.untold(home, settings))


DELIVER = ("alerts", "deliver", "--once")


def _death_of_deliverer(rng: random.Random, moment: str) -> tuple[str, int, float]:
    """Between two steps of it, within the milliseconds after one, or at any moment."""
    point = rng.choice(("told", "published", "delivered", moment))
    if point == moment:
        return point, 1, rng.uniform(1, 1500)
    return point, rng.randint(1, 3) if point == "published" else 1, rng.choice((0.0, rng.uniform(0.1, 30)))


def rebalance(ground: Ground, seed: int) -> Result:
    """Two workers share the topic; one joins late, and one of them is killed or told to stop while both read."""
    rng = random.Random(f"rebalance {seed}")
    with ground.trial() as home:
        settings = ground.settings(home, batch_spans=100)
        first = ground.start(settings)
        time.sleep(rng.uniform(0, 3))
        second = ground.start(settings)
        victim = rng.choice((first, second))
        time.sleep(rng.uniform(2, 5))
        number = rng.choice((signal.SIGKILL, signal.SIGTERM))
        victim.send_signal(number)
        kills = _ended(victim, -number, 0)
        _ended(first if victim is second else second, 0)
        if unread := set(ground.ends.items()) ^ set(consumed(home, ground.topic).items()):
            raise Wrong(f"the other worker left unread: {unread}")
        # It may have come to the end while the victim still held the lease, and died before it had detected all: as anywhere,
        # the next start does that.
        ground.finish(home)
        return ground.compare(home, kills if number == signal.SIGKILL else 1)


def locked_catalog(ground: Ground, seed: int) -> Result:
    """Another process holds SQLite's lock on the catalog while the worker streams; some workers die waiting."""
    rng = random.Random(f"locked {seed}")
    with ground.trial() as home:
        death = ("running", 1, rng.uniform(500, 4000)) if rng.random() < 0.5 else ()
        worker = ground.start(ground.settings(home), *death)
        time.sleep(rng.uniform(1.5, 3.5))
        with subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(home / "warehouse" / "catalog.sqlite"), str(rng.uniform(0.5, 6))]
        ) as holder:
            kills = 1 + _ended(worker, -signal.SIGKILL, 0)
            holder.wait(_PATIENCE)
        ground.finish(home)
        return ground.compare(home, kills)


_HOLD = """
import sqlite3, sys, time
lock = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
lock.execute("BEGIN IMMEDIATE")
time.sleep(float(sys.argv[2]))
lock.execute("ROLLBACK")
"""


def full_disk(ground: Ground, seed: int) -> Result:
    """The disk under the home fills up: the worker ends with one line, and goes on when there is room."""
    rng = random.Random(f"disk {seed}")
    with ground.trial() as home:
        room = rng.randint(40, 2500) * 1024
        with _small_disk(home, room) as (limit, enlarge):
            worker = ground.start(ground.settings(home), preexec_fn=limit)
            said = worker.communicate(timeout=_PATIENCE)[1]
            if worker.returncode not in (0, 1) or "Traceback" in said:
                raise Wrong(f"exit {worker.returncode}: {said[-500:]}")
            if worker.returncode == 1 and "full" not in said.strip().splitlines()[-1]:
                raise Wrong(f"not the disk: {said[-500:]}")
            enlarge()
            ground.finish(home)
            return ground.compare(home, int(worker.returncode == 1))


@contextmanager
def _small_disk(home: Path, room: int) -> Iterator[tuple[Callable[[], None], Callable[[], None]]]:
    """A file system with so much room for the home where this may mount one, else a limit on the size of each file."""
    size = sum(path.stat().st_blocks * 512 for path in home.rglob("*") if path.is_file())
    copy = home.with_name(f"{home.name}-copy")
    home.rename(copy)
    home.mkdir()
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size + room}", "tmpfs", str(home)], capture_output=True, check=False
    ).returncode
    subprocess.run(["cp", "-a", f"{copy}/.", str(home)], check=True)
    subprocess.run(["rm", "-r", str(copy)], check=True)
    try:
        if mounted:
            yield (
                lambda: None,
                lambda: subprocess.run(["mount", "-o", "remount,size=500m", str(home)], check=True) and None,
            )
        else:
            biggest = max(path.stat().st_size for path in home.rglob("*") if path.is_file())
            limit = biggest + room // 8
            yield (lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)), lambda: None)
    finally:
        if mounted:
            # Lazily: a process that kept the log of a catalog has its file open for as long as it lives.
            subprocess.run(["umount", "--lazy", str(home)], check=True)


def yesterdays_catalog(ground: Ground, seed: int) -> Result:
    """Somebody puts an earlier catalog back: it is noticed, repaired when asked, and the messages are read again."""
    rng = random.Random(f"yesterday {seed}")
    with ground.trial() as home:
        warehouse = home / "warehouse"
        kills = _ended(ground.start(ground.settings(home), "committed", rng.randint(1, 6), 0), -signal.SIGKILL)
        copy_catalog(warehouse / "catalog.sqlite", home / "yesterday.sqlite")
        ground.finish(home)
        for name in ("catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"):
            (warehouse / name).unlink(missing_ok=True)
        (home / "yesterday.sqlite").rename(warehouse / "catalog.sqlite")
        refused = ground.start(ground.settings(home))
        said = refused.communicate(timeout=_PATIENCE)[1]
        if refused.returncode != 1 or "the catalog is an earlier one" not in said:
            raise Wrong(f"not noticed, exit {refused.returncode}: {said[-500:]}")
        _repaired(ground, home)
        ground.finish(home)
        _repaired(ground, home)
        if list((warehouse / "aside").rglob("*.parquet")):
            raise Wrong("rows set aside are neither stored nor taken in")
        return ground.compare(home, kills)


def bad_file(ground: Ground, seed: int) -> Result:
    """A Parquet file is cut short, and comes back from a backup that was made beside the worker."""
    rng = random.Random(f"file {seed}")
    with ground.trial() as home:
        worker = ground.start(ground.settings(home))
        while not any((home / "warehouse/data").rglob("*.parquet")) and worker.poll() is None:
            time.sleep(0.05)
        _ended(ground.start(ground.settings(home), command=("backup", str(home / "kept"))), 0)
        _ended(worker, 0)
        _ended(ground.start(ground.settings(home), command=("backup", str(home / "kept"))), 0)
        file = rng.choice(sorted((home / "warehouse/data").rglob("*.parquet")))
        file.write_bytes(file.read_bytes()[: rng.randrange(file.stat().st_size)])
        _repaired(ground, home, "--backups", str(home / "kept"))
        ground.finish(home)
        return ground.compare(home, 1)


def _repaired(ground: Ground, home: Path, *options: str) -> None:
    _ended(ground.start(ground.settings(home), command=("doctor", "--repair", "--yes", *options)), 0)


def broker_killed(ground: Ground, seed: int, broker: Broker) -> Result:
    """The broker dies under load and comes back on the same data: the worker goes on by itself."""
    rng = random.Random(f"broker {seed}")
    with ground.trial() as home:
        worker = ground.start(ground.settings(home, batch_spans=100, stall_seconds=10))
        time.sleep(rng.uniform(1.5, 4.0))
        kill(broker)
        time.sleep(rng.uniform(0, 3))
        broker.start(port=int(ground.bootstrap_servers.rpartition(":")[2]))
        # Killed before it had its topics, a worker may also end; whatever it does, nothing is lost.
        _ended(worker, 0, 1)
        ground.finish(home)
        return ground.compare(home, 1)


def kill(broker: Broker) -> None:
    """Kill a broker, and wait until its process is gone: a start a moment earlier would take it for a running one."""
    pid = broker.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while broker.status().pid == pid:
        time.sleep(0.05)


def _ended(worker: subprocess.Popen[str], *statuses: int) -> int:
    """Wait for a worker's end, which must be one of these; return 1 where it was killed."""
    try:
        said = worker.communicate(timeout=_PATIENCE)[1]
    except subprocess.TimeoutExpired:
        worker.kill()
        raise Wrong(f"hangs: {worker.communicate()[1][-500:]}") from None
    if worker.returncode not in statuses:
        raise Wrong(f"exit {worker.returncode}: {said[-500:]}")
    return int(worker.returncode == -signal.SIGKILL)


SCENARIOS: dict[str, Callable[[Ground, int], Result]] = {
    "killed between two steps": between_steps,
    "killed at any moment": any_moment,
    "killed mid-commit": mid_commit,
    "killed while delivering": deliverer,
    "rebalance of two workers": rebalance,
    "locked catalog": locked_catalog,
    "full disk": full_disk,
    "catalog of yesterday": yesterdays_catalog,
    "file cut short": bad_file,
}

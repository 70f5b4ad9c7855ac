"""What every fault is tried on: one log in the real Kafka, what an unbroken run makes of it, and how a broken one compares."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from pipelines.alerts import lifecycle
from pipelines.broker import create_topics
from pipelines.commands import flow
from pipelines.commands.context import err
from pipelines.settings import Settings
from pipelines.simulate import simulate
from warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 4
SPANS = 'SELECT * EXCLUDE (ingested_at) FROM spans ORDER BY trace_id, span_id, topic, "partition", "offset"'
FACTS = ("outcomes", "policy_decisions", "approvals", "rollbacks", "overrides")
ALARMS = (
    "SELECT * EXCLUDE (created_at) FROM signals ORDER BY signal_id",
    "SELECT * EXCLUDE (updated_at) FROM incidents ORDER BY incident_id",
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a broken run left, beside what the unbroken one did.

    Attributes
    ----------
    kills : int
        Processes killed, disks filled or locks held: faults that did happen.
    lost, doubled : int
        Spans and facts.
    offsets : int
        Partitions whose consumed offset is not the log's end.
    incidents : int
        Rows of signals and incidents that only one of the two has.
    notifications : int
        States of incidents that the alerts topic lacks, ids that say two things, and states told under two ids.
    """

    kills: int
    lost: int
    doubled: int
    offsets: int
    incidents: int
    notifications: int = 0

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.offsets or self.incidents or self.notifications)


class Ground:
    """A topic full of traffic with drifts, and the unbroken run over it.

    Parameters
    ----------
    bootstrap_servers : str
        The real Kafka.
    folder : Path
        For the homes.
    name : str
        The topic to make.
    """

    def __init__(self, bootstrap_servers: str, folder: Path, name: str) -> None:
        self.bootstrap_servers, self.folder, self.topic = bootstrap_servers, folder, name
        self._homes = self._topics = 0
        create_topics(bootstrap_servers, {name: PARTITIONS, f"{name}.alerts": 1, f"{name}.dead": 1})
        simulate(folder / "traffic", seed=11, days=1, workflows=1, rate=20)
        self.empty = self.home()
        flow.publish_files(sorted((folder / "traffic").glob("*.binpb")), self.settings(self.empty))
        Warehouse.open(self.empty / "warehouse").close()
        self.ends = self._ends()
        self.unbroken = self.home()
        self.finish(self.unbroken)
        self.spans, self.facts, self.alarms = stored(self.unbroken)
        assert len(self.spans) > 1000 and all(len(frame) > 0 for frame in self.alarms), "nothing to compare"

    def home(self) -> Path:
        """Return a new home; its warehouse is there, and empty, to save each seed the migrations."""
        self._homes += 1
        home = self.folder / f"home-{self._homes}"
        if self._homes > 1:
            shutil.copytree(self.empty, home)
        return home

    def settings(self, home: Path, **more: Any) -> Settings:
        # The budget makes alarms common, so that there is something to compare; small batches make many moments to die in.
        # Positions come from the warehouse, so a group of its own spares each start the dead member's session.
        self._homes += 1
        given: dict[str, Any] = {
            "group_id": f"{self.topic}-{self._homes}",
            "batch_spans": 200,
            "checkpoint_seconds": 0.3,
            "session_seconds": 6.0,
            "alerts_topic": f"{self.topic}.alerts",
            **more,
        }
        return Settings(
            home=home,
            bootstrap_servers=self.bootstrap_servers,
            topic=self.topic,
            dead_letter_topic=f"{self.topic}.dead",
            alarm_budget_per_week=3000.0,
            **given,
        )

    def new_topic(self) -> str:
        """Return the name of a new topic for alerts: what one home says, apart from the others'."""
        self._topics += 1
        name = f"{self.topic}.alerts-{self._topics}"
        create_topics(self.bootstrap_servers, {name: 1})
        return name

    def start(
        self,
        settings: Settings,
        *death: object,
        until_end: bool = True,
        command: tuple[str, ...] = (),
        **popen: Any,
    ) -> subprocess.Popen[str]:
        """Start a worker, or another command, to die at (point, nth, delay in ms) if given."""
        asked = command or ("stream", *(["--until-end"] if until_end else []))
        arguments = ["--home", str(settings.home), *asked]
        told = death if death else ("never", 1, 0)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.worker", *map(str, told), *arguments],
            env=environment(settings),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            **popen,
        )

    def finish(self, home: Path, settings: Settings | None = None) -> None:
        """Run a worker to the end, here: what is started again after a fault."""
        err.quiet = True
        try:
            flow.run_stream(settings or self.settings(home), "kafka", None, until_end=True)
        finally:
            err.quiet = False

    def compare(self, home: Path, kills: int) -> Result:
        spans, facts, alarms = stored(home)
        found = [spans, *facts]
        expected = [self.spans, *self.facts]
        key = ["trace_id", "span_id"]
        return Result(
            kills=kills,
            lost=len(self.spans.join(spans, on=key, how="anti"))
            + sum(max(0, len(old) - len(new)) for new, old in zip(facts, self.facts, strict=True)),
            doubled=sum(max(0, len(new) - len(new.unique())) for new in found)
            + sum(max(0, len(new) - len(old)) for new, old in zip(found, expected, strict=True)),
            offsets=len(set(self.ends.items()) ^ set(consumed(home, self.topic).items())),
            incidents=sum(different(new, old) for new, old in zip(alarms, self.alarms, strict=True)),
        )

    def act(self, home: Path, rng: random.Random) -> None:
        """Let people change what the home has: some incidents are acknowledged, some resolved."""
        with Warehouse.open(home / "warehouse") as warehouse:
            for (name,) in warehouse.query("SELECT incident_id FROM incidents ORDER BY incident_id").rows():
                rng.choice((lifecycle.acknowledge, lifecycle.resolve))(warehouse, name, by="ada")

    def untold(self, home: Path, settings: Settings) -> int:
        """Return how often the alerts topic and the outbox do not agree with the incidents as they are."""
        with Warehouse.open(home / "warehouse", read_only=True) as warehouse:
            incidents = warehouse.query("SELECT incident_id, state, signals FROM incidents").rows()
            made = warehouse.query(
                "SELECT notification_id, subject_id, state, extent, revision, status FROM notifications WHERE channel = 'kafka'"
            ).rows(named=True)
        topic = TopicPartition(settings.alerts_topic, 0)
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap_servers, consumer_timeout_ms=2000)
        consumer.assign([topic])
        consumer.seek_to_beginning(topic)
        told: dict[str, set[bytes]] = {}
        for message in consumer:
            told.setdefault(dict(message.headers)["ce_id"].decode(), set()).add(message.value)
        consumer.close()
        said = {(one["subject_id"], one["state"], one["extent"]) for one in made if one["notification_id"] in told}
        states = [(one["subject_id"], one["revision"], one["extent"]) for one in made]
        return (
            len(set(incidents) - said)
            + sum(len(values) > 1 for values in told.values())
            + len(told.keys() - {one["notification_id"] for one in made})
            + len(states)
            - len(set(states))
            + sum(one["status"] != "delivered" for one in made)
        )

    def _ends(self) -> dict[int, int]:
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap_servers)
        partitions = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
        ends = consumer.end_offsets(partitions)
        consumer.close()
        return {partition.partition: end for partition, end in ends.items()}

    @contextmanager
    def trial(self) -> Iterator[Path]:
        """A home for one seed, removed after it."""
        home = self.home()
        try:
            yield home
        finally:
            shutil.rmtree(home, ignore_errors=True)


def environment(settings: Settings) -> dict[str, str]:
    names = ("bootstrap_servers", "topic", "group_id", "alerts_topic", "dead_letter_topic", "alarm_budget_per_week")
    names += ("batch_spans", "checkpoint_seconds", "session_seconds", "outage_seconds", "stall_seconds")
    return {**os.environ, **{f"PLUMBLINE_{name.upper()}": str(getattr(settings, name)) for name in names}}


def stored(home: Path) -> tuple[pl.DataFrame, list[pl.DataFrame], list[pl.DataFrame]]:
    """Return the spans, the facts and the alarms of a home."""
    with Warehouse.open(home / "warehouse", read_only=True) as warehouse:
        facts = [warehouse.query(f'SELECT * EXCLUDE (ingested_at) FROM "{name}" ORDER BY ALL') for name in FACTS]
        return warehouse.query(SPANS), facts, [warehouse.query(sql) for sql in ALARMS]


def consumed(home: Path, topic: str) -> dict[int, int]:
    with Warehouse.open(home / "warehouse", read_only=True) as warehouse:
        rows = warehouse.query('SELECT "partition", next_offset FROM consumed_offsets WHERE topic = ?', [topic]).rows()
    assert len(rows) == len(dict(rows)), "one row to a partition"
    return dict(rows)


def different(new: pl.DataFrame, old: pl.DataFrame) -> int:
    """Return how many rows only one of two frames has, order aside."""
    texts = [
        set(frame.with_columns(pl.all().map_elements(repr, return_dtype=pl.String)).rows()) for frame in (new, old)
    ]
    return len(texts[0] ^ texts[1]) + abs(len(new) - len(old)) * (texts[0] == texts[1])

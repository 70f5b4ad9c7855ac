"""A mart built step by step is what it would be, built anew from everything: late spans, late statements, time passing."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.warehouse.compactor import compact
from tests.warehouse.fleet import Fleet, model_call, tool_call
from warehouse import Warehouse, WarehouseError, incremental, marts, retention
from warehouse.headers import Relation

START = datetime(2025, 8, 1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
INCREMENTAL = [name for name, model in marts.models().items() if model.incremental]
BUILT = [name for name in marts.names() if name in {"event_clock", *INCREMENTAL}]
SESSIONS = ["s1", "s2", None, None, None, None]


class Growing:
    """A fleet of which a part arrives at a time; times run on, and what is late comes late."""

    def __init__(self, seed: int) -> None:
        self.random, self.at, self.runs = random.Random(seed), START, 0
        self.names: list[str] = []

    def arrive(self, warehouse: Warehouse, runs: int) -> None:
        """New runs, some of them open still or of a session."""
        it = Fleet()
        for _ in range(runs):
            self.runs += 1
            self.at += self.random.random() * 3 * HOUR
            name = f"run-{self.runs:04}"
            self.names.append(name)
            root: dict[str, Any] = {
                "release": self.random.choice(["1", "2"]),
                "session_id": self.random.choice(SESSIONS),
                "agent": self.random.choice(["x", "y", None]),
                "prompt_version": self.random.choice(["p@1", None]),
                "mode": self.random.choice(["shadow", None]),
            }
            calls = [model_call(self.random.choice([0.1, None])), tool_call(self.random.choice(["free", "paid"]))]
            it.run(
                name, self.random.choice(["a", "b"]), *calls, at=self.at,
                outcome=self.random.choice(["success", "failure", None]), **root,
            )  # fmt: skip
        self._store(warehouse, it)

    def late_spans(self, warehouse: Warehouse, at: datetime = START) -> None:
        """A call of a run of long ago, even before what was its first span."""
        it = Fleet()
        for name in self.random.sample(self.names, 2):
            row = {"trace_id": name, "run_id": name, "workflow": "a", "workflow_rank": 1, "status": "error"}
            number = self.random.randrange(10**9)
            it.add(
                "spans", **row, span_id=f"late-{number}", parent_span_id=f"{name}-0",
                started_at=at, ended_at=self.at, **tool_call("paid"),
            )  # fmt: skip
        self._store(warehouse, it)

    def odd_spans(self, warehouse: Warehouse) -> None:
        """Spans that name their run's workflow better, that have no time, that end before their run starts."""
        it = Fleet()
        names = self.random.sample(self.names, 3)
        for name, (rank, flag, started_at, ended_at) in zip(
            names,
            [
                (0, None, self.at, self.at),
                (2, "time_missing", None, None),
                (2, "negative_duration", self.at, START - DAY),
            ],
            strict=True,
        ):
            span = f"odd-{self.random.randrange(10**9)}"
            common = {"trace_id": name, "run_id": name, "span_id": span}
            it.add(
                "spans", **common, **model_call(0.3), workflow=self.random.choice(["c", "d"]), workflow_rank=rank,
                parent_span_id=f"{name}-0", started_at=started_at, ended_at=ended_at,
                quality_flags=[flag] if flag else None,
            )  # fmt: skip
            it.add("tool_requests", **common, position=0, tool_name="free", at=ended_at)
        self._store(warehouse, it)

    def overridden(self, warehouse: Warehouse) -> None:
        """A person decided otherwise."""
        it = Fleet()
        name = self.random.choice(self.names)
        it.add("overrides", trace_id=name, run_id=name, span_id=str(self.random.randrange(10**9)), at=self.at)
        self._store(warehouse, it)

    def statements(self, warehouse: Warehouse) -> None:
        """Outcomes that name a run, a trace, a session, and nothing that is there."""
        it = Fleet()
        first, second = self.random.sample(self.names, 2)
        source = {"source": "topic", "at": self.at}
        it.outcome(run_id=first, status="escalated", **source)
        it.outcome(trace_id=second, status="success", value_usd=3.0, **source)
        it.outcome(session_id=self.random.choice(["s1", "s2"]), status="failure", value_usd=9.0, **source)
        it.outcome(trace_id="nowhere", status="success", **source)
        for row in it.rows["outcomes"]:
            row["outcome_id"] += f"-{self.random.randrange(10**9)}"
        self._store(warehouse, it)

    def prices(self, warehouse: Warehouse) -> None:
        """A price becomes known: stored rows change."""
        name = self.random.choice(self.names)
        update = "UPDATE spans SET cost_usd = 0.2 WHERE run_id = ? AND kind = 'model'"
        warehouse.transaction(lambda connection: connection.execute(update, [name]))

    def rules(self, warehouse: Warehouse) -> None:
        """What says who may do what."""
        it = Fleet()
        name = self.random.choice(self.names)
        number = str(self.random.randrange(10**9))
        common = {"trace_id": name, "run_id": name, "at": self.at}
        it.add("policy_decisions", **common, span_id=number, policy="p", action="deny")
        it.add("approvals", **common, span_id=number, status="granted")
        self._store(warehouse, it)

    def _store(self, warehouse: Warehouse, it: Fleet) -> None:
        it.store(warehouse)
        warehouse.transaction(
            lambda c: c.execute("UPDATE spans SET ingested_at = started_at WHERE ingested_at IS NULL")
        )


def built_is_whole(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Build each mart; return those of which only a part was computed. All hold what their SELECT gives of everything."""
    narrowed: list[str] = []
    real = marts._write

    def write(connection: Any, mart: Relation, computed: Any) -> int:
        if computed.affected is not None:
            narrowed.append(mart.name)
        return real(connection, mart, computed)

    monkeypatch.setattr(marts, "_write", write)
    monkeypatch.setattr(incremental, "MOST", 2.0)  # a part is never too much of so small a fleet
    for name in BUILT:
        marts.build(warehouse, name)
    monkeypatch.setattr(marts, "_write", real)
    for name in BUILT:
        whole = warehouse.query(marts.models()[name].sql)
        assert_frame_equal(stored(warehouse, name), whole, check_row_order=False)
    left = warehouse.query(
        "SELECT database_name, table_name FROM duckdb_tables() WHERE database_name IN ('temp', 'memory')"
    )
    kept = {("temp", name.rpartition(".")[2]) for name in incremental.FEED}
    assert all(table in kept or table[1].startswith("kept_") for table in left.rows()), "nothing hides a table"
    assert warehouse.query(
        "SELECT view_name FROM duckdb_views() WHERE database_name = 'temp' AND NOT internal"
    ).is_empty()
    return narrowed


def current(warehouse: Warehouse) -> int:
    return warehouse.query("SELECT id FROM ducklake_current_snapshot('lake')").item()


def stored(warehouse: Warehouse, name: str) -> pl.DataFrame:
    return warehouse.query(f'SELECT * FROM "{name}"')


@pytest.fixture
def lake(empty: Warehouse) -> Warehouse:
    it = Fleet()
    it.add("catalog_tools", tool_name="paid", cost_per_call_usd=0.25, effect="write")
    it.add("catalog_workflows", workflow="b", outcome_window_hours=72.0, escalation_cost_usd=2.0)
    it.store(empty)
    return empty


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_step_by_step_gives_what_all_at_once_gives(lake: Warehouse, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    growing = Growing(seed)
    growing.arrive(lake, 100)
    assert built_is_whole(lake, monkeypatch) == [], "the first time there is nothing to go on from"
    steps = [
        growing.late_spans,
        growing.statements,
        growing.prices,
        growing.rules,
        growing.odd_spans,
        growing.overridden,
    ]
    todo = [*growing.random.sample(steps, 6), *growing.random.sample(steps, 3)]  # each, and some once more
    while todo:
        growing.arrive(lake, 3)
        for _ in range(3):
            todo.pop()(lake)
        assert set(built_is_whole(lake, monkeypatch)) == set(INCREMENTAL)
    before = current(lake)
    assert built_is_whole(lake, monkeypatch) == [], "nothing new is nothing to do"
    assert current(lake) == before, "and nothing is committed"


def test_a_run_that_moves_leaves_its_day_and_workflow(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    growing = Growing(5)
    growing.arrive(lake, 105)
    built_is_whole(lake, monkeypatch)
    it = Fleet()
    name = growing.names[100]
    at = lake.query("SELECT started_at FROM runs WHERE run_id = ?", [name]).item() - 3 * DAY
    common = {"trace_id": name, "run_id": name, "span_id": "first", "started_at": at, "ended_at": at}
    it.add("spans", **common, **model_call(0.1), workflow="new", workflow_rank=0, parent_span_id=f"{name}-0")
    it.store(lake)
    runs = "SELECT sum(runs) FROM cost_by_day WHERE \"by\" = 'all'"
    assert lake.query(runs).item() == 105
    assert set(built_is_whole(lake, monkeypatch)) == set(INCREMENTAL)
    assert lake.query(runs).item() == 105
    assert lake.query("SELECT DISTINCT date FROM governance_by_day WHERE workflow = 'new'").item() == at.date()


@pytest.mark.slow
def test_time_alone_settles_and_closes_runs(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    growing = Growing(1)
    growing.arrive(lake, 120)
    built_is_whole(lake, monkeypatch)
    pending = lake.query("SELECT count(*) FILTER (is_pending) FROM runs").item()
    growing.at += 5 * DAY
    growing.arrive(lake, 1)
    assert "runs" in built_is_whole(lake, monkeypatch)
    assert pending > 1 >= lake.query("SELECT count(*) FILTER (is_pending) FROM runs").item()


def test_a_changed_catalog_computes_all(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    growing = Growing(2)
    growing.arrive(lake, 60)
    built_is_whole(lake, monkeypatch)
    lake.transaction(lambda c: c.execute("UPDATE catalog_tools SET cost_per_call_usd = 7"))
    assert not {"runs", "tool_calls", "cost_by_day", "governance_by_day"} & set(built_is_whole(lake, monkeypatch))
    assert built_is_whole(lake, monkeypatch) == []


def test_another_version_of_a_model_computes_all(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    growing = Growing(2)
    growing.arrive(lake, 60)
    built_is_whole(lake, monkeypatch)
    lake.transaction(lambda c: c.execute("COMMENT ON TABLE runs IS 'Runs. [model 0] [snapshot 3]'"))
    assert "runs" not in built_is_whole(lake, monkeypatch)


@pytest.mark.slow
def test_compaction_and_expired_snapshots_change_nothing(
    home: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(template, home)
    growing = Growing(3)
    for days in (7.0, 0.0):  # the second time the snapshots are gone, and all is computed
        with Warehouse.open(home) as lake:
            growing.arrive(lake, 40)
            built_is_whole(lake, monkeypatch)
            growing.arrive(lake, 2)
            growing.statements(lake)
        compact(home, keep=days, grace=days)
        with Warehouse.open(home) as lake:
            assert bool(built_is_whole(lake, monkeypatch)) == (days > 0)


def test_days_that_retention_deleted_stay_as_they_were(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    growing = Growing(4)
    growing.arrive(lake, 150)
    for name in marts.names():
        marts.build(lake, name)
    before = stored(lake, "runs").sort("run_id")
    cut = retention.apply(lake, {"spans": 4}, now=growing.at)
    since = lake.query("SELECT max(kept_since) FROM retention").item()
    assert cut["spans"] > 100 and since is not None
    monkeypatch.setattr(incremental, "MOST", 1.0)
    growing.arrive(lake, 3)
    growing.late_spans(lake, growing.at)
    for name in BUILT:
        marts.build(lake, name)
    after = stored(lake, "runs").sort("run_id")
    gone = pl.col("started_at") < since
    assert_frame_equal(after.filter(gone), before.filter(gone))
    assert after["run_id"].is_unique().all() and len(after) == len(before) + 3


def by_day(warehouse: Warehouse) -> dict[str, pl.DataFrame]:
    return {name: stored(warehouse, name) for name in marts.by_day()}


def on(frame: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    return frame.filter(pl.col("date").is_between(first, last))


@pytest.mark.slow
@pytest.mark.parametrize("most", [0.99, 0.0], ids=["by their runs", "out of everything"])
def test_days_asked_for_are_what_a_whole_build_gives_and_no_other_is_touched(
    lake: Warehouse, most: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    growing = Growing(6)
    growing.arrive(lake, 120)
    for name in BUILT:
        marts.build(lake, name)
    monkeypatch.setattr(incremental, "MOST", most)
    for step in (growing.prices, growing.rules, growing.odd_spans, growing.late_spans, growing.overridden):
        step(lake)
    lake.transaction(lambda c: c.execute("UPDATE catalog_tools SET cost_per_call_usd = 7, compensation = 'refund'"))
    for name in BUILT:
        if name not in marts.by_day():
            marts.build(lake, name)
    first, last = date(2025, 8, 2), date(2025, 8, 6)
    before = by_day(lake)
    for name in marts.by_day():
        whole = lake.query(marts.models()[name].sql)
        assert not on(whole, first, last).equals(on(before[name], first, last)) or name in {
            "versions_daily",
            "policy_events_hourly",
            "tool_variants_daily",
        }
        built = marts.build(lake, name, days=(first, last))
        after = stored(lake, name)
        others = ~pl.col("date").is_between(first, last)
        assert_frame_equal(on(after, first, last), on(whole, first, last), check_row_order=False)
        assert_frame_equal(after.filter(others), before[name].filter(others), check_row_order=False)
        assert built.rows == after.height
        found = Counter(on(after, first, last)["date"])
        assert built.days == {day: found[day] for day in (first + n * DAY for n in range(5))}
    built_is_whole(lake, monkeypatch)


def test_what_changed_on_other_days_stays_for_the_next_build(lake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    growing = Growing(5)
    growing.arrive(lake, 105)
    built_is_whole(lake, monkeypatch)
    it = Fleet()
    name = growing.names[100]
    old = lake.query("SELECT started_at FROM runs WHERE run_id = ?", [name]).item()
    new = old - 3 * DAY
    common = {"trace_id": name, "run_id": name, "span_id": "first", "started_at": new, "ended_at": new}
    it.add("spans", **common, **model_call(0.1), workflow="new", workflow_rank=0, parent_span_id=f"{name}-0")
    it.store(lake)
    for mart in BUILT:
        if mart not in marts.by_day():
            marts.build(lake, mart)
    marts.build(lake, "cost_by_day", days=(new.date(), new.date()))
    runs = "SELECT sum(runs) FROM cost_by_day WHERE \"by\" = 'all'"
    assert lake.query(runs).item() == 106, "on the day that it left it is counted still"
    assert {old.date(), new.date()} <= marts.build(lake, "cost_by_day").days.keys(), "and days that the clock moved"
    assert lake.query(runs).item() == 105
    built_is_whole(lake, monkeypatch)
    assert marts.build(lake, "cost_by_day").days == {}, "nothing changed since"


def test_a_whole_build_names_every_day_and_those_that_emptied(lake: Warehouse) -> None:
    growing = Growing(7)
    growing.arrive(lake, 30)
    for name in BUILT:
        marts.build(lake, name)
    days = Counter(stored(lake, "cost_by_day")["date"])
    assert marts.build(lake, "cost_by_day", whole=True).days == days
    lake.transaction(lambda c: c.execute("DELETE FROM runs WHERE started_at::DATE = DATE '2025-08-02'"))
    assert marts.build(lake, "cost_by_day", whole=True).days == {**days, date(2025, 8, 2): 0}
    assert marts.build(lake, "runs", whole=True).days == {}, "it is not a mart by day"


def test_days_are_built_of_nothing_that_is_there_as_a_whole(lake: Warehouse) -> None:
    growing = Growing(8)
    growing.arrive(lake, 30)
    for name in BUILT:
        if name not in marts.by_day():
            marts.build(lake, name)
    day = date(2025, 8, 3)
    for name in marts.by_day():
        built = marts.build(lake, name, days=(day, day))
        assert_frame_equal(stored(lake, name), lake.query(marts.models()[name].sql), check_row_order=False)
        assert len(built.days) > 1 or built.rows == 0


@pytest.mark.slow
def test_days_that_cannot_be_built_are_refused(lake: Warehouse) -> None:
    growing = Growing(4)
    growing.arrive(lake, 60)
    for name in marts.names():
        marts.build(lake, name)
    day = START.date()
    with pytest.raises(WarehouseError, match=r"runs can't be computed by days.*choose from component_uses_daily"):
        marts.build(lake, "runs", days=(day, day))
    with pytest.raises(WarehouseError, match=r"no days from 2025-08-01 to 2025-07-31.*earlier day first"):
        marts.build(lake, "cost_by_day", days=(day, day - DAY))
    before = by_day(lake)
    retention.apply(lake, {"spans": 2}, now=growing.at)
    since = lake.query("SELECT max(kept_since)::DATE FROM retention").item()
    with pytest.raises(WarehouseError, match=f"begin at {since}: retention deleted"):
        marts.build(lake, "cost_by_day", days=(since - DAY, since))
    for name in marts.by_day():
        marts.build(lake, name, days=(since, since + DAY))
        assert set(marts.build(lake, name, whole=True).days) == set(on(before[name], since, date.max)["date"])
        assert_frame_equal(stored(lake, name), before[name], check_row_order=False)

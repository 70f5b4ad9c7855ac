"""The life of an incident: what may follow what, who said so and why, and what it leaves for the detectors."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.alerts import lifecycle, store
from pipelines.alerts.incidents import SAME_INCIDENT, Incident
from pipelines.commands.context import open_warehouse
from pipelines.errors import TerminalError
from pipelines.settings import Settings
from pipelines.sources.kafka import utc_now
from warehouse import Warehouse

AT = datetime(2026, 9, 10)
HOUR = timedelta(hours=1)


def signal(workflow: str, metric: str = "tool_error", hours: float = 0) -> dict[str, Any]:
    at = AT + hours * HOUR
    stream = {"workflow": workflow, "family": "tool", "metric": metric, "dimension": "", "kind": "rate"}
    return {**stream, "at": at, "onset_at": AT, "log_e": 20.0, "headline": f"{metric} changed", "run_ids": ["r"]}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    with open_warehouse(Settings(home=home)) as opened:
        store.record([signal("desk"), signal("shop"), signal("desk", "success", 1)], opened)
    return home


@pytest.fixture
def warehouse(home: Path, tmp_path: Path) -> Iterator[Warehouse]:
    copied = Settings(home=shutil.copytree(home, tmp_path / "home"))
    with open_warehouse(copied) as opened:
        yield opened


def named(warehouse: Warehouse, workflow: str) -> Incident:
    return next(each for each in store.incidents(warehouse.connection) if each.workflow == workflow)


def kinds(warehouse: Warehouse, incident: Incident) -> list[tuple[str, str | None, str]]:
    return lifecycle.history(warehouse, incident.incident_id).select("kind", "from_state", "to_state").rows()


def test_signals_that_open_and_join_are_changes_of_their_time(warehouse: Warehouse) -> None:
    desk = named(warehouse, "desk")
    assert kinds(warehouse, desk) == [("opened", None, "open"), ("signal_joined", "open", "open")]
    assert lifecycle.history(warehouse, desk.incident_id)["at"].to_list() == [AT, AT + HOUR]
    store.record([signal("desk"), signal("desk", "success", 1)], warehouse)
    assert len(kinds(warehouse, desk)) == 2, "a replay says nothing again"
    assert desk.revision == 1, "a signal that joins is no new state"


def test_each_change_is_noted_with_who_and_why(warehouse: Warehouse) -> None:
    name = named(warehouse, "desk").incident_id
    assert lifecycle.acknowledge(warehouse, name[:8], by="ada", why="looking").state == "acknowledged"
    assert lifecycle.silence(warehouse, name, until=utc_now() + HOUR, by="ada", why="known").state == "silenced"
    assert lifecycle.unsilence(warehouse, name, by="bob").state == "acknowledged"
    assert lifecycle.resolve(warehouse, name, by="bob", why="rolled back").state == "resolved"
    again = lifecycle.reopen(warehouse, name, by="cyd", why="no, it is there still")
    assert (again.state, again.revision, again.silenced_until) == ("open", 6, None)
    told = lifecycle.history(warehouse, name).rows(named=True)[2:]
    assert [(row["kind"], row["from_state"], row["to_state"], row["said_by"], row["why"]) for row in told] == [
        ("acknowledged", "open", "acknowledged", "ada", "looking"),
        ("silenced", "acknowledged", "silenced", "ada", "known"),
        ("unsilenced", "silenced", "acknowledged", "bob", None),
        ("resolved", "acknowledged", "resolved", "bob", "rolled back"),
        ("reopened", "resolved", "open", "cyd", "no, it is there still"),
    ]


def test_a_silence_ends_by_itself_as_what_it_was_and_writes_nothing_before(warehouse: Warehouse) -> None:
    desk = named(warehouse, "desk").incident_id
    lifecycle.silence(warehouse, desk, until=utc_now() + HOUR, why="known")
    assert lifecycle.acknowledge(warehouse, desk, by="ada").state == "silenced"
    before = _snapshots(warehouse)
    assert lifecycle.end_silences(warehouse, utc_now()) == [] and _snapshots(warehouse) == before
    (ended,) = lifecycle.end_silences(warehouse, utc_now() + 2 * HOUR)
    assert (ended.incident_id, ended.state, ended.silenced_until) == (desk, "acknowledged", None)
    assert kinds(warehouse, ended)[-1] == ("silence_ended", "silenced", "acknowledged")


def _snapshots(warehouse: Warehouse) -> int:
    return warehouse.query("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')").item()


def test_only_a_judgement_reaches_the_detectors(warehouse: Warehouse) -> None:
    desk, shop = named(warehouse, "desk").incident_id, named(warehouse, "shop").incident_id
    sql = "SELECT incident_id, judgement, said_by FROM acknowledgements ORDER BY stated_at"
    lifecycle.acknowledge(warehouse, desk)
    assert warehouse.query(sql).is_empty()
    assert lifecycle.acknowledge(warehouse, desk, judged="real", by="ada").state == "acknowledged"
    assert lifecycle.acknowledge(warehouse, shop, judged="false").state == "resolved"
    assert lifecycle.acknowledge(warehouse, shop, judged="real").state == "resolved", "what is over stays over"
    assert warehouse.query(sql).rows() == [(desk, "real", "ada"), (shop, "false", None), (shop, "real", None)]


def test_a_merged_incident_follows_the_one_it_went_into(warehouse: Warehouse) -> None:
    desk, shop = named(warehouse, "desk").incident_id, named(warehouse, "shop").incident_id
    assert lifecycle.merge(warehouse, desk, shop, by="ada", why="the model's outage").incident_id == desk
    gone = named(warehouse, "shop")
    assert (gone.state, gone.merged_into) == ("merged", desk)
    store.record([signal("shop", "success", 2)], warehouse)
    assert named(warehouse, "shop").signals == 2 and named(warehouse, "shop").state == "merged"
    last = lifecycle.history(warehouse, desk).row(-1, named=True)
    assert (last["kind"], last["other_incident_id"], last["to_state"]) == ("signal_joined", shop, "open")
    lifecycle.resolve(warehouse, desk)
    judged = warehouse.query("SELECT incident_id FROM acknowledgements WHERE judgement = 'resolved'")
    assert set(judged["incident_id"]) == {desk, shop}, "the streams of both are watched again"
    assert lifecycle.reopen(warehouse, shop).merged_into is None


def test_a_reopened_incident_takes_what_began_after_it_was_judged(warehouse: Warehouse) -> None:
    desk = named(warehouse, "desk").incident_id
    lifecycle.resolve(warehouse, desk)
    warehouse.transaction(lambda c: c.execute("UPDATE incidents SET judged_at = TIMESTAMP '2026-09-10 02:00'"))
    lifecycle.reopen(warehouse, desk)
    late = {**signal("desk", "path", 3), "onset_at": AT + 3 * HOUR}
    (joined,) = store.record([late], warehouse)
    assert joined.incident_id == desk and 3 * HOUR < SAME_INCIDENT


Act = Callable[[Warehouse, str], Any]
ACTS: dict[str, Act] = {
    "acknowledge": lifecycle.acknowledge,
    "silence": lambda w, name: lifecycle.silence(w, name, until=utc_now() + HOUR, why="known"),
    "unsilence": lifecycle.unsilence,
    "resolve": lifecycle.resolve,
    "reopen": lifecycle.reopen,
    "merge": lambda w, name: lifecycle.merge(w, named(w, "shop").incident_id, name),
}
REFUSED = {
    "open": ("unsilence", "reopen"),
    "acknowledged": ("acknowledge", "unsilence", "reopen"),
    "silenced": ("reopen",),
    "resolved": ("acknowledge", "silence", "unsilence", "resolve", "merge"),
    "merged": ("acknowledge", "silence", "unsilence", "resolve", "merge"),
}
TO = {
    "open": (),
    "acknowledged": ("acknowledge",),
    "silenced": ("silence",),
    "resolved": ("resolve",),
    "merged": ("merge",),
}


@pytest.mark.parametrize("state", REFUSED)
def test_what_a_state_does_not_allow_is_one_line_and_changes_nothing(state: str, warehouse: Warehouse) -> None:
    desk = named(warehouse, "desk").incident_id
    for act in TO[state]:
        ACTS[act](warehouse, desk)
    was = named(warehouse, "desk")
    assert was.state == state
    for act in REFUSED[state]:
        with pytest.raises(TerminalError, match=f"an incident that is {state}"):
            ACTS[act](warehouse, desk)
        assert named(warehouse, "desk") == was


@pytest.mark.parametrize(
    ("act", "line"),
    [
        (lambda w: lifecycle.silence(w, "a", until=utc_now() - HOUR, why="x"), "a silence can't end at"),
        (lambda w: lifecycle.silence(w, "a", until=utc_now() + 2400 * HOUR, why="x"), "in the next 90 days"),
        (lambda w: lifecycle.silence(w, "a", until=utc_now() + HOUR, why=" "), "needs a reason"),
        (lambda w: lifecycle.resolve(w, "'; DROP TABLE incidents; --"), "no such incident"),
        (lambda w: lifecycle.resolve(w, named(w, "desk").incident_id, why="x" * 2001), "at most 2,000"),
        (lambda w: lifecycle.merge(w, named(w, "desk").incident_id, named(w, "desk").incident_id), "into itself"),
    ],
)
def test_bad_words_are_one_line(act: Callable[[Warehouse], Any], line: str, warehouse: Warehouse) -> None:
    with pytest.raises(TerminalError, match=line):
        act(warehouse)

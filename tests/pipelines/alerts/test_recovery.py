"""An incident resolves by itself when its streams are back: at one place in the order of observations, whatever the batches."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from detectors import Monitor
from pipelines import checkpoint
from pipelines.alerts import lifecycle, store
from pipelines.alerts.feedback import Feedback
from pipelines.alerts.recovery import SETTLED, Returns, pieces_of
from pipelines.commands.context import open_warehouse
from pipelines.detection import monitor_settings
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.notifications.notifier import Notifier
from pipelines.notifications.opening import subscriptions_of
from pipelines.settings import Settings
from pipelines.simulate import DEFAULT_START, simulate
from pipelines.sources.files import FileSource
from pipelines.sources.kafka import utc_now
from pipelines.stages.observation import OBSERVATION_SCHEMA
from pipelines.stream import Stream
from warehouse import Warehouse

INCIDENTS = "SELECT * EXCLUDE (updated_at) FROM incidents ORDER BY incident_id"
WRITTEN = (
    'SELECT * EXCLUDE (created_at) FROM signals ORDER BY "at", signal_id',
    INCIDENTS,
    "SELECT * EXCLUDE (stated_at) FROM acknowledgements ORDER BY ALL",
    "SELECT * EXCLUDE (applied_at) FROM applied_acknowledgements ORDER BY ALL",
    "SELECT * EXCLUDE (noted_at) FROM incident_changes ORDER BY change_id",
)
ITSELF = (
    "SELECT * FROM acknowledgements JOIN applied_acknowledgements USING (acknowledgement_id) "
    "WHERE judgement = 'resolved_itself' ORDER BY watermark_at"
)
LENGTH = 2.5
DRIFT_HOURS = 6.0


class Recorder:
    """A channel that keeps what it is told."""

    name = "console"

    def __init__(self) -> None:
        self.told: list[Message] = []

    def send(self, message: Message) -> Answer:
        self.told.append(message)
        return Answer(Verdict.DELIVERED, "kept")

    def close(self) -> None:
        pass


def run(home: Path, files: list[Path], batch_spans: int = 20_000) -> list[Message]:
    """Stream to the end; return what was told."""
    settings, channel = Settings(home=home, batch_spans=batch_spans), Recorder()
    with open_warehouse(settings) as warehouse:
        source = FileSource([str(path) for path in files])
        default = subscriptions_of(settings, with_topic=False).subscriptions
        notifier = Notifier(settings, warehouse, default, {"console": channel})
        Stream(settings, source, warehouse, notifier, lambda _: None).run(until_end=True)
    return channel.told


def stored(home: Path, sql: str) -> pl.DataFrame:
    with Warehouse.open(Settings(home=home).warehouse, read_only=True) as warehouse:
        return warehouse.query(sql)


def streams(home: Path) -> pl.DataFrame:
    saved = checkpoint.load(Settings(home=home).checkpoints)
    assert saved is not None
    return Monitor.decode(saved.monitor, monitor_settings(Settings(home=home))).streams()


def traffic(out: Path, seed: int, start: datetime = DEFAULT_START, drift_hours: float | None = DRIFT_HOURS) -> Path:
    simulate(out, seed=seed, days=LENGTH, workflows=1, rate=40, drifts=["tool"], drift_hours=drift_hours, start=start)
    return out


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.binpb"))


def drift(folder: Path, when: str) -> datetime:
    (only,) = json.loads((folder / "truth.json").read_text())["drifts"]
    return datetime.fromisoformat(only[when]).replace(tzinfo=None)


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return traffic(tmp_path_factory.mktemp("ended"), 11)


@pytest.fixture(scope="module")
def told(ended: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Message]]:
    """A home that has streamed a drift that ends, in small batches, and what it told."""
    home = tmp_path_factory.mktemp("homes") / "home"
    return home, run(home, files(ended), 1000)


def test_an_incident_whose_drift_ends_resolves_by_itself_and_says_so(
    told: tuple[Path, list[Message]], ended: Path
) -> None:
    home, messages = told
    (incident,) = stored(home, INCIDENTS).to_dicts()
    (judgement,) = stored(home, ITSELF).to_dicts()
    change = stored(home, "SELECT * FROM incident_changes WHERE kind = 'resolved_itself'").to_dicts()[0]
    undone, place = drift(ended, "undone_at"), judgement["watermark_at"]
    assert incident["state"] == "resolved" and incident["revision"] == 2
    assert undone < place < undone + timedelta(hours=4)
    assert incident["judged_at"] == change["at"] == place
    assert (change["from_state"], change["to_state"], change["said_by"]) == ("open", "resolved", None)
    assert change["why"] == judgement["note"] and "lookup_order since 2026-09-0" in change["why"]
    assert [message.state for message in messages] == ["open", "resolved"]
    assert change["why"] in dict(messages[-1].details).values()
    of_incident = stored(home, "SELECT DISTINCT metric, dimension FROM signals")
    again = streams(home).join(of_incident, on=["metric", "dimension"])
    assert again["state"].to_list() == ["watching"] * len(of_incident), "watched again, and not alarmed anew"


def test_one_whose_drift_stays_does_not(ended: Path, tmp_path: Path) -> None:
    stays = traffic(tmp_path / "stays", 11, drift_hours=None)
    assert drift(stays, "injected_at") == drift(ended, "injected_at")
    run(tmp_path / "home", files(stays))
    assert stored(tmp_path / "home", INCIDENTS)["state"].to_list() == ["open"]
    assert stored(tmp_path / "home", ITSELF).is_empty()
    runs = 'SELECT count(DISTINCT trace_id) AS n FROM spans WHERE started_at > (SELECT max("at") FROM signals)'
    assert stored(tmp_path / "home", runs)["n"].item() > 400


def test_the_same_drift_again_is_another_incident(
    told: tuple[Path, list[Message]], ended: Path, tmp_path: Path
) -> None:
    home = shutil.copytree(told[0], tmp_path / "home")
    again = traffic(tmp_path / "again", 12, DEFAULT_START + timedelta(days=LENGTH))
    run(home, files(ended) + files(again))
    rows = stored(home, "SELECT * FROM incidents ORDER BY opened_at").to_dicts()
    first, second = rows[0], next(row for row in rows if row["onset_at"] > drift(again, "injected_at") - SETTLED)
    assert first["incident_id"] == stored(told[0], INCIDENTS)["incident_id"][0] != second["incident_id"]
    assert (first["state"], second["state"]) == ("resolved", "resolved")
    assert stored(home, ITSELF)["watermark_at"][-1] > drift(again, "undone_at")


@pytest.mark.slow
@pytest.mark.parametrize("how", ["one batch", "a restart", "every checkpoint lost", "an older checkpoint"])
def test_batches_restarts_and_replays_change_nothing(
    how: str, told: tuple[Path, list[Message]], ended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    if how == "one batch":
        run(home, files(ended), 100_000)
    elif how == "a restart":
        run(home, files(ended)[:2], 700)
        (followed,) = stored(home, "SELECT count(*) AS n FROM incidents WHERE state = 'open'")["n"].to_list()
        assert followed == 1, "the drift is there, and what was found of it is in the checkpoint"
        run(home, files(ended), 700)
    else:
        shutil.copytree(told[0], home)
        saved = Settings(home=home).checkpoints / "detectors.zip"
        saved.unlink()
        if how == "an older checkpoint":
            with monkeypatch.context() as patched:
                patched.setattr(checkpoint, "VERSION", 4)
                run(tmp_path / "older", files(ended)[:1])
            shutil.copy(Settings(home=tmp_path / "older").checkpoints / "detectors.zip", saved)
        assert run(home, files(ended)) == [], "nothing is told twice"
    for sql in WRITTEN:
        assert_frame_equal(stored(home, sql), stored(told[0], sql))
    assert_frame_equal(streams(home), streams(told[0]))


@pytest.mark.slow
def test_a_worker_killed_as_an_incident_is_back_changes_nothing(
    told: tuple[Path, list[Message]], ended: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    given = [part for path in files(ended) for part in ("--files", str(path))]
    worker_dying = [sys.executable, "-m", "tests.faults.worker", "incident back", "1", "0"]
    worker = subprocess.run(
        [*worker_dying, "--home", str(home), "stream", "--source", "files", *given, "--until-end"],
        env={**os.environ, "PLUMBLINE_BATCH_SPANS": "1000"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        check=False,
    )
    assert worker.returncode == -signal.SIGKILL, worker.stderr[-500:]
    assert len(stored(home, ITSELF)) == 1
    run(home, files(ended))
    for sql in WRITTEN:
        assert_frame_equal(stored(home, sql), stored(told[0], sql))
    assert_frame_equal(streams(home), streams(told[0]))


AT = datetime(2026, 9, 10)
MINUTE = timedelta(minutes=1)
TEST = json.dumps({"cut": 0.5, "before": 0.02, "after": 0.6, "threshold": 7.0})


def raised(metric: str, kind: str, minute: int, test: str | None = None, workflow: str = "desk") -> dict[str, Any]:
    at = AT + minute * MINUTE
    stream = {"workflow": workflow, "family": "tool", "metric": metric, "dimension": "", "kind": kind}
    return {**stream, "at": at, "signal_id": f"{metric} {minute}", "incident_id": "i", "return_test": test}


def observed(minutes: range, hits: set[int] = frozenset(), broken: set[int] = frozenset()) -> pl.DataFrame:  # pyright: ignore[reportArgumentType]
    """One run a minute: a rate, and a rule that some of them break."""
    rows: list[dict[str, Any]] = []
    for minute in minutes:
        run = {
            "at": AT + minute * MINUTE,
            "workflow": "desk",
            "family": "tool",
            "dimension": "",
            "run_id": f"r{minute}",
        }
        rows.append({**run, "metric": "tool_error", "kind": "rate", "value": float(minute in hits), "late": False})
        if minute in broken:
            rows.append({**run, "metric": "loop", "kind": "rule", "value": 3.0, "late": False})
    return pl.DataFrame(rows, schema=OBSERVATION_SCHEMA)


def back_at(signals: list[dict[str, Any]], observations: pl.DataFrame, size: int) -> datetime | None:
    """Follow the streams of signals raised at the first moment, in pieces of so many rows, through a checkpoint each time."""
    returns = Returns()
    returns.add(pl.DataFrame(signals, infer_schema_length=None), observations.clear())
    for first in range(0, len(observations), size):
        left = observations[first : first + size]
        while not left.is_empty():
            piece, left = pieces_of(left)
            place = returns.advance(piece)
            if place is not None:
                assert [*returns.back(place)] == ["i"]
                return place
        returns = Returns(json.loads(json.dumps(returns.state())))
    return None


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_incident_is_back_when_all_its_streams_are_and_its_last_signal_is_an_hour_ago(size: int) -> None:
    signals = [raised("tool_error", "rate", 0, TEST)]
    assert back_at(signals, observed(range(1, 200)), size) == AT + 60 * MINUTE
    assert back_at(signals, observed(range(1, 200), {*range(90)}), size) == AT + 119 * MINUTE, "30 runs"
    assert back_at(signals, observed(range(1, 200), {*range(1, 200, 2)}), size) is None
    with_rule = [*signals, raised("loop", "rule", 0)]
    assert back_at(with_rule, observed(range(1, 200), broken={100}), size) == AT + 60 * MINUTE
    assert back_at(with_rule, observed(range(1, 200), broken={40, 100}), size) == AT + 70 * MINUTE
    assert back_at(with_rule, observed(range(1, 200), broken={*range(0, 200, 20)}), size) is None


@pytest.mark.parametrize("apart", [0.2, 1, 7, 45, 700])
def test_a_piece_is_an_hour_or_thirty_runs_of_each_workflow(apart: float) -> None:
    quiet = observed(range(0, 300, 3)).with_columns(workflow=pl.lit("shop"))
    both = pl.concat([observed(range(300)), quiet]).sort("at", maintain_order=True)
    left = both.with_columns(at=AT + (pl.col("at") - AT) * apart)
    pieces: list[pl.DataFrame] = []
    while not left.is_empty():
        piece, left = pieces_of(left)
        pieces.append(piece)
        length = piece["at"][-1] - piece["at"][0]
        most = piece.group_by("workflow").agg(pl.col("run_id").n_unique())["run_id"].max()
        assert length < SETTLED or most <= 30  # pyright: ignore[reportOperatorIssue]
    assert_frame_equal(pl.concat(pieces), both.with_columns(at=AT + (pl.col("at") - AT) * apart))
    assert len(pieces) <= 1 + 300 / min(30, max(1, 720 / apart)), "no more than need be"


def test_streams_without_a_test_do_not_resolve_an_incident_and_do_not_hold_it() -> None:
    rules = [raised("loop", "rule", 0), raised("runs_per_hour", "continuous", 0), raised("cost", "spike", 0)]
    assert back_at(rules, observed(range(1, 200)), 50) is None
    assert back_at([*rules, raised("tool_error", "rate", 0, TEST)], observed(range(1, 200)), 50) == AT + 60 * MINUTE


def test_late_runs_and_streams_that_are_watched_again_count_for_nothing() -> None:
    returns = Returns()
    returns.add(pl.DataFrame([raised("tool_error", "rate", 0, TEST)]), observed(range(0)))
    late = observed(range(1, 59)).with_columns(late=True)
    assert returns.advance(late) is None and returns.state()[0]["progress"]["runs"] == 0
    returns.forget([("desk", "tool", "tool_error", "")])
    assert returns.advance(observed(range(60, 119))) is None and returns.state() == []


def signal_of(workflow: str) -> dict[str, Any]:
    stream = {"workflow": workflow, "family": "tool", "metric": "tool_error", "dimension": "", "kind": "rate"}
    return {**stream, "at": AT, "onset_at": AT, "log_e": 20.0, "headline": "changed", "run_ids": ["r"]}


@pytest.mark.parametrize(
    ("state", "becomes"),
    [
        ("open", "resolved"),
        ("acknowledged", "resolved"),
        ("silenced", "resolved"),
        ("merged", "merged"),
        ("took in", "open"),
    ],
)
def test_what_people_do_with_an_incident_does_not_keep_it_open_but_a_merge(
    state: str, becomes: str, tmp_path: Path
) -> None:
    with open_warehouse(Settings(home=tmp_path)) as warehouse:
        store.record([signal_of("desk"), signal_of("shop")], warehouse)
        desk, shop = sorted(store.incidents(warehouse.connection), key=lambda each: each.workflow)
        if state == "acknowledged":
            lifecycle.acknowledge(warehouse, desk.incident_id)
        elif state == "silenced":
            lifecycle.silence(warehouse, desk.incident_id, until=utc_now() + timedelta(days=2), why="known")
        elif state == "merged":
            lifecycle.merge(warehouse, shop.incident_id, desk.incident_id)
        elif state == "took in":
            lifecycle.merge(warehouse, desk.incident_id, shop.incident_id)
        feedback = Feedback(warehouse)
        judgement, changed = feedback.itself(desk.incident_id, AT + SETTLED, "back")
        after = next(each for each in store.incidents(warehouse.connection) if each.workflow == "desk")
        assert after.state == becomes
        if becomes != "resolved":
            assert (judgement, changed, feedback.applied) == (None, [], [])
            return
        assert judgement is not None and judgement.streams == (("desk", "tool", "tool_error", ""),)
        assert not judgement.relearn and changed == [after] and after.silenced_until is None
        again, nothing = Feedback(warehouse).itself(desk.incident_id, AT + SETTLED, "back")
        assert (again, nothing) == (judgement, []), "a replay says it again to the detectors alone"

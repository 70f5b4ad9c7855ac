"""Judgements: they re-arm the streams they are about, at one place in the order of observations, in every replay."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from detectors import Monitor
from pipelines import checkpoint
from pipelines.alerts.feedback import judge
from pipelines.commands.context import open_warehouse
from pipelines.detection import monitor_settings
from pipelines.errors import TerminalError
from pipelines.notifications.message import Answer, Message, Verdict
from pipelines.notifications.notifier import Notifier
from pipelines.notifications.opening import subscriptions_of
from pipelines.settings import Settings
from pipelines.simulate import simulate
from pipelines.sources.files import FileSource
from pipelines.stream import Stream
from warehouse import Warehouse

SIGNALS = 'SELECT * EXCLUDE (created_at) FROM signals ORDER BY "at", signal_id'
INCIDENTS = "SELECT * EXCLUDE (updated_at) FROM incidents ORDER BY incident_id"
#: What people said: with alarms this common, some incidents resolve by themselves as well.
SAID = "SELECT * FROM acknowledgements WHERE judgement <> 'resolved_itself' ORDER BY stated_at"
PLACED = f"SELECT * FROM applied_acknowledgements JOIN ({SAID}) USING (acknowledgement_id)"
ALL = "SELECT * FROM alarm_precision WHERE family = '(all)'"


#: Every other tool breaks a rule.
CATALOG = "tools: {lookup_order: {}, get_claim: {}}"
KEYS = ("workflow", "family", "metric", "dimension")


def settings_for(home: Path) -> Settings:
    # A budget this wide and a catalog this narrow make alarms common, so that there is something to judge.
    catalog = home.parent / "catalog.yaml"
    catalog.write_text(CATALOG)
    return Settings(home=home, catalog=catalog, batch_spans=1500, alarm_budget_per_week=3000.0)


class Recorder:
    """A channel that keeps the states that it is told."""

    name = "console"

    def __init__(self, told: list[str]) -> None:
        self.told = told

    def send(self, message: Message) -> Answer:
        self.told.append(message.state)
        return Answer(Verdict.DELIVERED, "kept")

    def close(self) -> None:
        pass


def run(home: Path, files: list[Path]) -> list[str]:
    """Stream to the end; return the headlines and states that were published."""
    settings, told = settings_for(home), []
    with open_warehouse(settings) as warehouse:
        source = FileSource([str(path) for path in files])
        default = subscriptions_of(settings, with_topic=False).subscriptions
        notifier = Notifier(settings, warehouse, default, {"console": Recorder(told)})
        Stream(settings, source, warehouse, notifier, lambda _: None).run(until_end=True)
    return told


def stored(home: Path, sql: str) -> pl.DataFrame:
    with Warehouse.open(settings_for(home).warehouse, read_only=True) as warehouse:
        return warehouse.query(sql)


def streams(home: Path) -> pl.DataFrame:
    saved = checkpoint.load(settings_for(home).checkpoints)
    assert saved is not None
    return Monitor.decode(saved.monitor, monitor_settings(settings_for(home))).streams()


def memory(home: Path) -> list[pl.DataFrame]:
    """What the rules have said and learned."""
    saved = checkpoint.load(settings_for(home).checkpoints)
    assert saved is not None
    return [frame.sort(frame.columns[:3]) for _, frame in sorted(saved.latches.items())]


def state_of(home: Path, row: dict[str, str]) -> str:
    if row["kind"] == "rule":
        known, _ = memory(home)
        found = known.filter(*(pl.col(key) == row[key] for key in KEYS if key != "family"))["state"].to_list()
        return {"waiting": "alarmed", "accepted": "watching", "answered": "watching"}[found[0]]
    return streams(home).filter(pl.all_horizontal(pl.col(key) == row[key] for key in KEYS))["state"].item()


def copied(home: Path, to: Path) -> Path:
    shutil.copytree(home, to)
    return to


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    out = tmp_path_factory.mktemp("traffic")
    simulate(out, seed=11, days=2, workflows=2, rate=20)
    files = sorted(out.glob("*.binpb"))
    assert len(files) == 2
    return files


@pytest.fixture(scope="module")
def first_day(days: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that has streamed the first day, in which two incidents or more stand open."""
    home = tmp_path_factory.mktemp("homes") / "first"
    run(home, days[:1])
    assert len(stored(home, INCIDENTS)) >= 2
    return home


@pytest.fixture(scope="module")
def judged(first_day: Path, days: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same home, one incident judged real and one false, and the second day streamed."""
    home = copied(first_day, tmp_path_factory.mktemp("homes") / "judged")
    first, second = stored(home, INCIDENTS)["incident_id"].to_list()[:2]
    with open_warehouse(settings_for(home)) as warehouse:
        assert judge(warehouse, first, "real", "ada", "new prompt, wanted").state == "acknowledged"
        assert judge(warehouse, second[:10], "false").state == "resolved"
    run(home, days)
    return home


def test_a_judgement_gets_its_place_and_the_incident_its_state(judged: Path) -> None:
    placed = stored(judged, PLACED)
    assert sorted(placed["judgement"]) == ["false", "real"] and placed["watermark_at"].n_unique() == 1
    rows = stored(judged, INCIDENTS).filter(pl.col("incident_id").is_in(placed["incident_id"].to_list()))
    assert rows["state"].sort().to_list() == ["acknowledged", "resolved"]
    assert (rows["judged_at"] == placed["watermark_at"][0]).all()


def test_the_streams_of_a_judged_incident_are_watched_again_and_the_others_stay_alarmed(
    first_day: Path, judged: Path, days: list[Path], tmp_path: Path
) -> None:
    untouched = copied(first_day, tmp_path / "untouched")
    run(untouched, days)
    place = stored(judged, PLACED)["watermark_at"][0]
    was = stored(judged, SIGNALS).filter(pl.col("at") <= place)
    names = stored(judged, SAID).select("incident_id", "judgement")
    for judgement, incident in zip(names["judgement"], names["incident_id"], strict=True):
        for row in was.filter(pl.col("incident_id") == incident).to_dicts():
            assert state_of(untouched, row) == "alarmed"
            again = stored(judged, SIGNALS).filter(
                pl.col("at") > place,
                *(pl.col(key) == row[key] for key in KEYS),
            )
            assert state_of(judged, row) != "alarmed" or again.height == 1, "alarmed only if it alarmed anew"
            if judgement == "real":
                assert state_of(judged, row) in ("warming_up", "needs_data", "watching", "alarmed")
    judged_ids = names["incident_id"].to_list()
    others = was.filter(~pl.col("incident_id").is_in(judged_ids))
    assert all(state_of(judged, row) == "alarmed" for row in others.to_dicts())
    new = stored(judged, SIGNALS).filter(pl.col("onset_at") > place, pl.col("incident_id").is_in(judged_ids))
    assert new.is_empty(), "what began after the judgement is another incident"


def test_a_finding_judged_real_is_accepted_and_one_judged_false_is_told_again(judged: Path) -> None:
    place = stored(judged, PLACED)["watermark_at"][0]
    rules = stored(judged, SIGNALS).filter(kind="rule")
    judgements = dict(stored(judged, SAID).select("incident_id", "judgement").iter_rows())
    again = rules.filter(pl.col("at") > place).select(*KEYS)
    said = {"real": 0, "false": 0}
    for row in rules.filter(pl.col("at") <= place).to_dicts():
        judgement = judgements[row["incident_id"]]
        said[judgement] += 1
        told = again.filter(*(pl.col(key) == row[key] for key in KEYS))
        # The second day calls every tool of the first.
        assert told.height == (judgement == "false"), row["headline"]
    assert min(said.values()) >= 2


@pytest.mark.parametrize("lost", ["the last checkpoint", "every checkpoint", "everything since the judgement"])
def test_a_replay_applies_a_judgement_at_its_place_and_raises_the_same_signals(
    lost: str, first_day: Path, judged: Path, days: list[Path], tmp_path: Path
) -> None:
    home = copied(judged, tmp_path / "replayed")
    zipped = settings_for(home).checkpoints / "detectors.zip"
    if lost == "every checkpoint":
        zipped.unlink()
    else:
        shutil.copy(settings_for(first_day).checkpoints / "detectors.zip", zipped)
    if lost == "everything since the judgement":
        with Warehouse.open(settings_for(home).warehouse) as warehouse:
            place = warehouse.query(PLACED)["watermark_at"].max()
            warehouse.transaction(lambda c: c.execute('DELETE FROM signals WHERE "at" > ?', [place]))
            warehouse.transaction(lambda c: c.execute("DELETE FROM incidents WHERE opened_at > ?", [place]))
            # What the product says itself follows from the observations too.
            warehouse.transaction(lambda c: c.execute("DELETE FROM incident_changes WHERE kind = 'resolved_itself'"))
            itself = "(SELECT acknowledgement_id FROM acknowledgements WHERE judgement = 'resolved_itself')"
            for table in ("applied_acknowledgements", "acknowledgements"):
                sql = f"DELETE FROM {table} WHERE acknowledgement_id IN {itself}"
                warehouse.transaction(lambda c, sql=sql: c.execute(sql))
    run(home, days)
    assert_frame_equal(streams(home), streams(judged))
    for replayed, once in zip(memory(home), memory(judged), strict=True):
        assert_frame_equal(replayed, once)
    assert_frame_equal(stored(home, SIGNALS), stored(judged, SIGNALS))
    if lost != "everything since the judgement":
        assert_frame_equal(stored(home, INCIDENTS), stored(judged, INCIDENTS))
    saved = checkpoint.load(settings_for(home).checkpoints)
    assert saved is not None and len(saved.judgements) == len(stored(judged, "SELECT * FROM acknowledgements"))


@pytest.mark.slow
@pytest.mark.parametrize("point", ["judgement placed", "judgement followed"])
def test_a_worker_killed_at_a_judgement_changes_nothing(
    point: str, first_day: Path, judged: Path, days: list[Path], tmp_path: Path
) -> None:
    home = copied(first_day, tmp_path / "killed")
    names = stored(judged, SAID).select("incident_id", "judgement")
    with open_warehouse(settings_for(home)) as warehouse:
        for incident, judgement in names.iter_rows():
            judge(warehouse, incident, judgement)
    files = [part for path in days for part in ("--files", str(path))]
    worker = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.faults.worker",
            point,
            "1",
            "0",
            "--home",
            str(home),
            "stream",
            "--source",
            "files",
            *files,
            "--until-end",
        ],
        env={**os.environ, "PLUMBLINE_ALARM_BUDGET_PER_WEEK": "3000", "PLUMBLINE_BATCH_SPANS": "1500"}
        | {"PLUMBLINE_CATALOG": str(settings_for(home).catalog)},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        check=False,
    )
    assert worker.returncode == -signal.SIGKILL, worker.stderr[-500:]
    assert len(stored(home, PLACED)) == 2
    run(home, days)
    assert_frame_equal(streams(home), streams(judged))
    for replayed, once in zip(memory(home), memory(judged), strict=True):
        assert_frame_equal(replayed, once)
    assert_frame_equal(stored(home, SIGNALS), stored(judged, SIGNALS))


def test_a_judgement_is_published_though_nothing_new_came(first_day: Path, days: list[Path], tmp_path: Path) -> None:
    home = copied(first_day, tmp_path / "live")
    with open_warehouse(settings_for(home)) as warehouse:
        judge(warehouse, stored(home, INCIDENTS)["incident_id"][0], "resolved", note="rolled back")
    assert "resolved" in run(home, days[:1])
    assert len(stored(home, PLACED)) == 1
    assert stored(home, "SELECT coalesce(max(acknowledged), 0) AS n FROM alarm_precision")["n"].item() == 0


def test_precision_counts_incidents_and_false_alarms_count_streams(judged: Path) -> None:
    rows = {row["family"]: row for row in stored(judged, "SELECT * FROM alarm_precision").to_dicts()}
    fleet = rows["(all)"]
    assert (fleet["acknowledged"], fleet["judged_real"], fleet["judged_false"]) == (2, 1, 1)
    assert fleet["precision_ratio"] == 0.5
    assert (fleet["precision_low_ratio"], fleet["precision_high_ratio"]) == pytest.approx((0.0945, 0.9055), abs=1e-4)
    signals = stored(
        judged, "SELECT count(*) AS n FROM signals JOIN acknowledgements USING (incident_id) WHERE judgement = 'false'"
    )
    assert fleet["false_alarms"] == signals["n"].item() == fleet["false_alarms_per_week"]
    assert (fleet["weeks"], fleet["budget_per_week"]) == (1.0, 3000.0)
    assert sum(row["false_alarms"] for name, row in rows.items() if name != "(all)") == fleet["false_alarms"]


def test_the_latest_judgement_holds(judged: Path, tmp_path: Path) -> None:
    home = copied(judged, tmp_path / "again")
    wrong = stored(home, "SELECT incident_id FROM acknowledgements WHERE judgement = 'false'").item()
    with open_warehouse(settings_for(home)) as warehouse:
        judge(warehouse, wrong, "real")
        judge(warehouse, wrong, "resolved")
    row = stored(home, ALL).row(0, named=True)
    assert (row["judged_real"], row["judged_false"], row["false_alarms"]) == (2, 0, 0)


@pytest.mark.parametrize("beginning", ["", "no-such", "'; DROP TABLE incidents; --"])
def test_an_unknown_incident_is_one_line(beginning: str, first_day: Path) -> None:
    with open_warehouse(settings_for(first_day)) as warehouse, pytest.raises(TerminalError, match="no such incident"):
        judge(warehouse, beginning, "real")


def test_a_note_too_long_is_refused(first_day: Path) -> None:
    with open_warehouse(settings_for(first_day)) as warehouse, pytest.raises(TerminalError, match="at most 2,000"):
        judge(warehouse, "a", "real", note="x" * 2001)

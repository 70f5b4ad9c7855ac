"""What was known when: a run told before and after a late outcome and a new price, by every way that takes ``--as-of``."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.cli import main
from pipelines.settings import Settings
from tests.pipelines.test_audit import run
from tests.pipelines.test_late_outcomes import stream, written
from warehouse import Warehouse, marts, read_only, snapshots
from warehouse.snapshots import Snapshot

#: Those that an audit reads, in their order.
_MARTS = [name for name in marts.names() if name in {"event_clock", "audit_by_run", *marts.upstream("audit_by_run")}]
A, LATER = "a" * 32, "b" * 32


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("travel") / "home"


@pytest.fixture(scope="module")
def moments(home: Path) -> dict[str, Snapshot]:
    """The snapshot after each step: streamed, refreshed, refreshed with its outcome, and with other prices."""
    folder = home.parent
    found: dict[str, Snapshot] = {}

    def note(name: str, *, refresh: bool = True) -> None:
        with Warehouse.open(Settings(home=home).warehouse, writer="plumbline refresh") as warehouse:
            for mart in _MARTS if refresh else ():
                marts.build(warehouse, mart)
            found[name] = snapshots.current(warehouse.connection)

    traces = written(folder / "traces.jsonl", run(A, at_root=()))
    stream(home, [traces], [])
    note("streamed", refresh=False)
    note("pending")
    outcome = {"run_id": A, "status": "failure", "name": "paid", "at": "2026-08-29T20:00:00Z", "source": "crm"}
    stream(home, [traces, written(folder / "more.jsonl", run(LATER))], [written(folder / "outcomes.jsonl", outcome)])
    note("with its outcome")
    with Warehouse.open(Settings(home=home).warehouse) as warehouse:
        warehouse.transaction(
            lambda c: c.execute("UPDATE spans SET cost_usd = 3 * cost_usd WHERE cost_usd IS NOT NULL")
        )
    note("repriced")
    return found


def asked(home: Path, capfd: pytest.CaptureFixture[str], *arguments: str, fails: bool = False) -> str:
    capfd.readouterr()
    assert main(["--home", str(home), *arguments]) == (1 if fails else 0)
    captured = capfd.readouterr()
    return captured.err if fails else captured.out


def audited(home: Path, capfd: pytest.CaptureFixture[str], *as_of: str) -> dict[str, Any]:
    return json.loads(asked(home, capfd, "audit", A, "--format", "json", *as_of))


def test_the_audit_tells_what_was_known_then(
    home: Path, moments: dict[str, Snapshot], capfd: pytest.CaptureFixture[str]
) -> None:
    price = 1000 * 2e-6 + 100 * 8e-6
    pending, decided, repriced = (
        audited(home, capfd, "--as-of", str(moments[name].id)) for name in ("pending", "with its outcome", "repriced")
    )
    assert (pending["run"]["outcome"], pending["run"]["is_pending"]) == (None, True)
    assert (decided["run"]["outcome"], decided["run"]["is_pending"]) == ("failure", False)
    assert pending["run"]["cost_usd"] == decided["run"]["cost_usd"] == pytest.approx(price)
    assert repriced["run"]["cost_usd"] == pytest.approx(3 * price)
    assert pending["as_of"]["snapshot_id"] == moments["pending"].id
    now = audited(home, capfd)
    assert now == audited(home, capfd, "--as-of", moments["repriced"].at.isoformat() + "Z") == repriced
    text = asked(home, capfd, "audit", A, "--as-of", str(moments["pending"].id))
    assert f"snapshot {moments['pending'].id}\n" in text and "Its outcome is still awaited." in text


def test_a_time_means_the_last_snapshot_by_then_in_any_zone(
    home: Path, moments: dict[str, Snapshot], capfd: pytest.CaptureFixture[str]
) -> None:
    at = moments["with its outcome"].at
    for text in (f"{at}", f"{at}+00:00", f"{at + timedelta(hours=2)}+02:00", f"{at + timedelta(microseconds=1)}"):
        assert audited(home, capfd, "--as-of", text)["as_of"]["snapshot_id"] == moments["with its outcome"].id
    before = audited(home, capfd, "--as-of", f"{at - timedelta(microseconds=1)}")
    assert before["as_of"]["snapshot_id"] == moments["with its outcome"].id - 1


def test_what_was_not_known_then_is_one_line(
    home: Path, moments: dict[str, Snapshot], capfd: pytest.CaptureFixture[str]
) -> None:
    for arguments, words in (
        (("audit", A, "--as-of", str(moments["streamed"].id)), "there are no runs yet as of snapshot"),
        (("audit", LATER, "--as-of", str(moments["pending"].id)), "as of snapshot"),
        (("audit", A, "--as-of", "2001-01-01"), "the oldest kept is snapshot 0"),
        (("audit", A, "--as-of", "2101-01-01"), "is still to come"),
        (("sql", "--as-of", "987654321", "SELECT 1"), "no snapshot 987654321 is kept"),
        (("sql", "--as-of", "last week", "SELECT 1"), "no time: 'last week'"),
        (("sql", "--as-of", "9" * 30, "SELECT 1"), "no time"),
    ):
        line = asked(home, capfd, *arguments, fails=True)
        assert words in line and line.count("\n") == 1, line


def test_marts_of_an_older_version_are_told_to_be_so(
    home: Path, moments: dict[str, Snapshot], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    other = tmp_path / "home"
    with Warehouse.open(other / "warehouse") as warehouse:
        warehouse.transaction(lambda c: c.execute("CREATE TABLE audit_by_run AS SELECT 'a' AS run_id"))
        then = snapshots.current(warehouse.connection)
    line = asked(other, capfd, "audit", A, "--as-of", str(then.id), fails=True)
    assert f"the marts as of snapshot {then.id}" in line and "plumbline sql --as-of" in line


def test_sql_export_and_the_list_of_snapshots_agree(
    home: Path, moments: dict[str, Snapshot], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    then = str(moments["pending"].id)
    question = "SELECT r.outcome, v.cost_usd, (SELECT count(*) FROM outcomes) AS said FROM runs r JOIN runs_v1 v USING (run_id)"
    (row,) = json.loads(asked(home, capfd, "sql", "--format", "json", "--as-of", then, question))
    assert (row["outcome"], row["said"]) == (None, 0)
    assert len(json.loads(asked(home, capfd, "sql", "--format", "json", question))) == 2
    asked(home, capfd, "export", "table", "runs", "--as-of", then, "--out", str(tmp_path / "then"))
    asked(home, capfd, "export", "query", "FROM runs_v1", "--out", str(tmp_path / "now"))
    exported = {name: json.loads((tmp_path / name / "manifest.json").read_text("utf-8")) for name in ("then", "now")}
    assert (exported["then"]["rows"], exported["now"]["rows"]) == (1, 2)
    assert exported["then"]["snapshot_id"] == moments["pending"].id
    assert exported["then"]["snapshot_at"] == moments["pending"].at.isoformat(timespec="milliseconds") + "+00:00"
    listed = json.loads(asked(home, capfd, "snapshots", "--table", "runs", "--format", "json"))
    built = [row["snapshot_id"] for row in listed]
    assert built == sorted(built, reverse=True) and {row["written_by"] for row in listed} == {"plumbline refresh"}
    with read_only(Settings(home=home).warehouse) as lake:
        newest = snapshots.current(lake.connection)
    assert exported["now"]["snapshot_id"] == newest.id == moments["repriced"].id


def test_a_command_writes_its_name_into_its_snapshots(
    home: Path,
    moments: dict[str, Snapshot],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    home = shutil.copytree(home, tmp_path / "home")  # the other tests share theirs
    asked(home, capfd, "backfill", "prices", "--since", "2026-01-01")
    (row,) = json.loads(asked(home, capfd, "snapshots", "--limit", "1", "--format", "json"))
    assert row["written_by"] == "plumbline backfill prices" and "inserted repriced_calls, spans" in row["changes"]
    monkeypatch.setenv("PLUMBLINE_WRITER", "night shift")
    asked(home, capfd, "drill", "start", "desk", "--release", "2026.9.1")
    (row,) = json.loads(asked(home, capfd, "snapshots", "--limit", "1", "--format", "json"))
    assert row["written_by"] == "night shift"
    everything = pl.DataFrame(json.loads(asked(home, capfd, "snapshots", "--format", "json", "--limit", "1000")))
    assert everything["snapshot_id"].is_sorted(descending=True)
    assert everything.height == everything["snapshot_id"].n_unique() > 20

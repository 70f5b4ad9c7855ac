"""`plumbline dagster` as people run it: its server and daemon, asked by the GraphQL of its own UI."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)

from pipelines.defs.home import CONFIGURATION, dagster_home
from pipelines.defs.retention import prune
from tests.pipelines.defs.conftest import RUNS, START, outcome, run_spans, store
from warehouse import marts, run_select

pytestmark = pytest.mark.slow

WAIT_SECONDS = 660.0
_WHERE = {"repositoryLocationName": "pipelines.definitions", "repositoryName": "__repository__"}
_LAUNCH = """mutation($to: ExecutionParams!) { launchRun(executionParams: $to) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_BACKFILL = """mutation($to: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $to) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_RUNS = """query { runsOrError(limit: 50) { ... on Runs { results {
    runId jobName status startTime endTime tags { key value } } } } }"""
_TICKS = """query($of: InstigationSelector!) { instigationStateOrError(instigationSelector: $of) {
    ... on InstigationState { status ticks(limit: 5) { status runIds skipReason error { message } } } } }"""
_GRAPH = """query { assetNodes { assetKey { path } groupName kinds isPartitioned
    freshnessPolicy { __typename } owners { __typename } } }"""


@dataclass(frozen=True, slots=True)
class Running:
    """A server and daemon on a home."""

    home: Path
    address: str

    def ask(self, query: str, **variables: Any) -> Any:
        said = requests.post(
            f"{self.address}/graphql", json={"query": query, "variables": variables}, timeout=60
        ).json()
        assert "errors" not in said, said
        return said["data"]

    def runs(self, job: str) -> list[dict[str, Any]]:
        found = self.ask(_RUNS)["runsOrError"]["results"]
        return [run for run in found if run["jobName"] == job]

    def ticks(self, name: str) -> list[dict[str, Any]]:
        return self.ask(_TICKS, of={**_WHERE, "name": name})["instigationStateOrError"]["ticks"]

    def launch(self, job: str, tags: dict[str, str] | None = None) -> str:
        to = {
            "selector": {**_WHERE, "pipelineName": job},
            "mode": "default",
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in (tags or {}).items()]},
        }
        launched = self.ask(_LAUNCH, to=to)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return launched["run"]["runId"]


def until(found: Callable[[], Any], what: str) -> Any:
    """What `found` gives as soon as it is something."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if it := found():
            return it
        time.sleep(1)
    pytest.fail(f"{what}: not within {WAIT_SECONDS:.0f} s")


@pytest.fixture
def running(home: Path, tmp_path: Path) -> Iterator[Running]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = (tmp_path / "dagster.log").open("wb")
    environment = {**os.environ, "PYTHONPATH": str(CONFIGURATION.parent)}
    command = [sys.executable, "-m", "pipelines", "--home", str(home), "dagster", "--port", str(port)]
    server = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log)
    it = Running(home, f"http://127.0.0.1:{port}")

    def answers() -> bool:
        assert server.poll() is None, (tmp_path / "dagster.log").read_text(encoding="utf-8")[-2000:]
        try:
            return bool(requests.get(f"{it.address}/server_info", timeout=5).ok)
        except requests.RequestException:
            return False

    try:
        until(answers, "the server")
        yield it
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
        log.close()


def done(running: Running, job: str, count: int = 1) -> list[dict[str, Any]]:
    """The job's runs, as soon as so many have ended; all must have succeeded."""

    def ended() -> list[dict[str, Any]]:
        found = [run for run in running.runs(job) if run["status"] in ("SUCCESS", "FAILURE", "CANCELED")]
        return found if len(found) >= count else []

    found = until(ended, f"{count} runs of {job}")
    assert {run["status"] for run in found} == {"SUCCESS"}, found
    return found


@pytest.mark.timeout(1500)
def test_the_marts_follow_the_stream_and_days_are_computed_when_asked_for(running: Running) -> None:
    # The sensor is on from the start: what is stored is refreshed without anybody asking.
    first = done(running, "refresh")[-1]  # the latest comes first; the hour may strike meanwhile
    tags = {tag["key"]: tag["value"] for tag in first["tags"]}
    assert tags["dagster/sensor_name"] == "new_facts" and "spans" in tags["plumbline/new"]
    assert run_select(running.home / "warehouse", "SELECT count(*) FROM runs").item() == RUNS
    assert [tick["status"] for tick in running.ticks("new_facts")][-1] == "SUCCESS"

    graph = {node["assetKey"]["path"][0]: node for node in running.ask(_GRAPH)["assetNodes"]}
    assert set(marts.names()) <= set(graph)
    assert {name for name, node in graph.items() if node["isPartitioned"]} == set(marts.by_day())
    assert all(node["groupName"] and node["kinds"] and node["owners"] for node in graph.values())

    # A range of days, as the UI's backfill asks for them, is one run.
    days = [f"{START.date() + timedelta(days=number)}" for number in range(3)]
    started = running.ask(
        _BACKFILL,
        to={
            "assetSelection": [{"path": [name]} for name in marts.by_day()],
            "partitionNames": days,
            "fromFailure": False,
            "allPartitions": False,
        },
    )["launchPartitionBackfill"]
    assert started["__typename"] == "LaunchBackfillSuccess", started
    (run,) = done(running, "__ASSET_JOB")
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert (tags["dagster/asset_partition_range_start"], tags["dagster/asset_partition_range_end"]) == (
        days[0],
        days[-1],
    )
    with dg.DagsterInstance.from_config(str(dagster_home(running.home))) as instance:
        assert set(days) <= instance.get_materialized_partitions(dg.AssetKey("cost_by_day"))

    # Two at once take their turns.
    store(running.home, "spans", run_spans(RUNS))
    store(running.home, "outcomes", [outcome(RUNS)])
    tag = {"dagster/partition": days[0]}
    asked = {running.launch("refresh", tag), running.launch("compaction"), running.launch("backfill", tag)}
    for job in ("compaction", "backfill"):
        done(running, job)
    done(running, "refresh", 2)
    times = sorted(
        (each["startTime"], each["endTime"])
        for job in ("refresh", "compaction", "backfill")
        for each in running.runs(job)
        if each["runId"] in asked
    )
    assert len(times) == 3
    assert all(before[1] <= after[0] for before, after in pairwise(times)), "one at a time"
    assert run_select(running.home / "warehouse", "SELECT count(*) FROM runs").item() == RUNS + 1

    # A schedule whose time has come while nothing ran is made up for.
    with dg.DagsterInstance.from_config(str(dagster_home(running.home))) as instance:
        (state,) = [
            each for each in instance.all_instigator_state() if each.instigator_name == "compaction_every_ten_minutes"
        ]
        data = state.instigator_data
        assert isinstance(data, ScheduleInstigatorData)
        before = InstigatorState(
            state.origin,
            InstigatorType.SCHEDULE,
            InstigatorStatus.RUNNING,
            ScheduleInstigatorData(data.cron_schedule, time.time() - 700),
        )
        instance.update_instigator_state(before)
    tick = until(lambda: running.ticks("compaction_every_ten_minutes"), "a tick of the schedule")[0]
    assert tick["status"] in ("STARTED", "SUCCESS") and tick["error"] is None
    scheduled = until(
        lambda: [run for run in done(running, "compaction") if any("schedule" in tag["key"] for tag in run["tags"])],
        "the schedule's run",
    )
    assert len(scheduled) >= 1

    # What ended is pruned, but for the latest success of each job and what computed a day last.
    with dg.DagsterInstance.from_config(str(dagster_home(running.home))) as instance:
        there = instance.get_runs_count()
        assert prune(instance, keep=timedelta(0)) > 0
        left = {run.job_name for run in instance.get_runs()}
        assert instance.get_runs_count() < there
        assert {"refresh", "compaction", "backfill"} <= left

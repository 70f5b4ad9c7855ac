"""Releases compared at each refresh: which pairs, with which numbers, and what is said where data is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.cli import main
from pipelines.comparisons import compared_releases, write_comparisons
from warehouse import Warehouse

HOSTILE = "'); DROP TABLE runs; -- <b>"

# Release 9 comes first, then 10, then 8; 120 runs each. Of 'quiet' no run names a release; 'new' has one only.
_RUNS = """
CREATE TABLE runs AS
SELECT
    printf('run-%05d', i) AS run_id,
    CASE WHEN i < 480 THEN ? WHEN i < 500 THEN 'quiet' ELSE 'new' END AS workflow,
    CASE WHEN i < 480 THEN ['9', '10', '8', '8'][1 + i // 120] WHEN i >= 500 THEN '1' END AS release,
    CASE WHEN i >= 360 AND i < 480 THEN 'shadow' END AS mode,
    TIMESTAMP '2026-03-01' + i * INTERVAL 1 MINUTE AS started_at,
    started_at + INTERVAL 1 SECOND AS ended_at,
    false AS is_pending,
    CASE WHEN i % 3 = 0 AND i >= 120 AND i < 240 THEN 'failure' ELSE 'success' END AS outcome,
    CASE WHEN i < 170 OR i >= 240 THEN 1.0 + (i % 7) / 10 END AS cost_usd,
    1000.0 + i % 10 AS duration_ms,
    CASE WHEN i % 5 = 0 THEN 0 ELSE 2 END AS tool_calls,
    0 AS tool_errors,
    0 AS policy_decisions,
    0 AS denied_decisions
FROM range(510) AS numbers (i)
"""
_SHADOW = """
INSERT INTO spans BY NAME
SELECT
    run_id AS trace_id,
    'a' AS span_id,
    run_id,
    workflow,
    'agent' AS kind,
    mode,
    started_at,
    json_object(
        'plumbline.human.decision', 'pay',
        'plumbline.agent.decision', CASE WHEN run_id[-1] = '9' THEN 'deny' WHEN run_id[-1] <> '8' THEN 'pay' END
    ) AS attributes
FROM runs WHERE mode = 'shadow'
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("releases")
    with Warehouse.open(home / "warehouse") as warehouse:
        warehouse.connection.execute(_RUNS, [HOSTILE])
        warehouse.connection.execute(_SHADOW)
        named = pl.DataFrame({"workflow": [HOSTILE, "new"], "baseline_release": ["9", "never-ran"]})
        warehouse.transaction(lambda connection: warehouse.insert(connection, "catalog_workflows", named))
    return home


@pytest.fixture
def warehouse(home: Path) -> Iterator[Warehouse]:
    with Warehouse.open(home / "warehouse") as opened:
        yield opened


def row(frame: pl.DataFrame, **key: str) -> dict[str, Any]:
    return frame.filter(**key).row(0, named=True)


def test_each_release_is_compared_with_the_one_that_appeared_before_and_with_the_baseline(warehouse: Warehouse) -> None:
    found = compared_releases(warehouse).filter(pl.col("compared_with") != "people")
    pairs = found.select("workflow", "compared_with", "from_release", "to_release").unique(maintain_order=True).rows()
    assert pairs == [
        (HOSTILE, "previous", "9", "10"),
        (HOSTILE, "previous", "10", "8"),
        (HOSTILE, "baseline", "9", "8"),
    ]
    assert found.height == 5 * len(pairs)
    began = row(found, from_release="9", to_release="10")
    assert began["to_first_at"].isoformat() == "2026-03-01T02:00:00"


def test_the_numbers_are_those_of_the_command(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Warehouse.open(home / "warehouse") as warehouse:
        ours = compared_releases(warehouse).filter(compared_with="previous", from_release="9")
    assert main(["--home", str(home), "compare", HOSTILE, "--from", "9", "--to", "10", "--format", "json"]) == 0
    theirs = json.loads(capfd.readouterr().out)
    for mine, said in zip(ours.iter_rows(named=True), theirs, strict=True):
        assert (mine["measure"], mine["verdict"], mine["low"]) == (said["metric"], said["verdict"], said["low"])
        assert (mine["before_value"], mine["after_runs"]) == (said["first"], said["second_runs"])
    success = row(ours, measure="success rate")
    assert (success["before_value"], success["after_value"], success["verdict"]) == (1.0, pytest.approx(2 / 3), "worse")
    assert success["high"] < 0
    assert success["missing"] is None


def test_what_is_wanting_is_said_and_unknown_is_null(warehouse: Warehouse) -> None:
    found = compared_releases(warehouse).filter(compared_with="previous", from_release="10")
    denied, cost = row(found, measure="denial rate"), row(found, measure="cost per run")
    assert denied["missing"] == "runs with a policy decision: 10 more before and 10 more after"
    assert (denied["verdict"], denied["before_value"], denied["low"]) == ("needs data", None, None)
    # 50 priced runs are just enough.
    assert (cost["before_runs"], cost["before_coverage_ratio"], cost["missing"]) == (50, pytest.approx(50 / 120), None)


def test_shadow_runs_are_set_beside_what_people_decided(warehouse: Warehouse) -> None:
    (found,) = compared_releases(warehouse).filter(compared_with="people").iter_rows(named=True)
    # Of ten runs one has no decision of the agent's, and one another than people took.
    assert (found["to_release"], found["from_release"], found["after_runs"]) == ("8", None, 108)
    assert (found["after_value"], found["after_coverage_ratio"]) == (96 / 108, 0.9)
    assert found["low"] < found["after_value"] < found["high"]
    assert (found["verdict"], found["difference"], found["missing"]) == (None, None, None)
    with_runs = compared_releases(warehouse).filter(to_release="8", measure="success rate", compared_with="previous")
    assert with_runs["after_runs"].item() == 120, "shadow runs are no runs of the release"


def test_they_are_replaced_whole_or_not_at_all(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "SELECT * EXCLUDE (computed_at) FROM release_comparisons ORDER BY ALL"
    assert write_comparisons(warehouse) == 16
    first = warehouse.query(query)
    assert first["as_of_at"].unique().item().isoformat() == "2026-03-01T08:29:01"
    assert write_comparisons(warehouse) == 16
    assert warehouse.query(query).equals(first)

    def fail(*_: object) -> int:
        raise RuntimeError("no room")

    with monkeypatch.context() as broken:
        broken.setattr(warehouse, "insert", fail)
        with pytest.raises(RuntimeError):
            write_comparisons(warehouse)
    assert warehouse.query(query).equals(first)

"""``plumbline compare`` on a warehouse: what it counts, and what it says when something is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.cli import main
from warehouse import Warehouse

_RUNS = """
CREATE TABLE runs AS
SELECT
    printf('run-%05d', i) AS run_id,
    'refunds' AS workflow,
    CASE WHEN i % 2 = 0 THEN '1.0' ELSE '1.1' END AS release,
    CASE WHEN i < 1990 THEN NULL ELSE 'shadow' END AS mode,
    TIMESTAMP '2026-03-01' + i * INTERVAL 1 MINUTE AS started_at,
    started_at AS ended_at,
    i >= 1980 AS is_pending,
    CASE WHEN i >= 1980 THEN NULL WHEN i % 2 = 1 AND i % 3 = 0 THEN 'failure' ELSE 'success' END AS outcome,
    CASE WHEN i % 4 <> 0 THEN 1.0 + (i % 2) + (i % 7) / 10 END AS cost_usd,
    1000.0 + i % 10 AS duration_ms,
    CASE WHEN i % 5 = 0 THEN 0 ELSE 2 END AS tool_calls,
    0 AS tool_errors,
    1 AS policy_decisions,
    (release = '1.1' AND run_id[-1] = '1')::INTEGER AS denied_decisions
FROM range(2000) AS numbers (i)
"""
_SHADOW = """
INSERT INTO spans BY NAME
SELECT
    run_id AS trace_id,
    'a' AS span_id,
    run_id,
    workflow,
    'agent' AS kind,
    'run' AS name,
    'ok' AS status,
    'live' AS release,
    mode,
    ended_at AS started_at,
    ended_at,
    't' AS topic,
    0 AS "partition",
    0 AS "offset",
    ended_at AS ingested_at,
    json_object(
        'plumbline.human.decision', 'pay',
        'plumbline.agent.decision', CASE WHEN run_id[-1] = '9' THEN 'deny' ELSE 'pay' END
    ) AS attributes
FROM runs WHERE mode = 'shadow'
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("compared")
    with Warehouse.open(home / "warehouse") as warehouse:
        for statement in (_RUNS, _SHADOW):
            warehouse.connection.execute(statement)
    return home


def answer(home: Path, capfd: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert main(["--home", str(home), "compare", *arguments, "--format", "json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_two_releases_metric_by_metric(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = {row["metric"]: row for row in answer(home, capfd, "refunds", "--from", "1.0", "--to", "1.1")}
    success, cost, duration, tools, denied = rows.values()
    # 990 settled runs each; those that are pending, and shadow runs, say nothing.
    assert (success["first"], success["second"]) == (1.0, pytest.approx(2 / 3))
    assert (success["verdict"], success["first_runs"], success["second_runs"]) == ("worse", 990, 990)
    assert success["first_coverage"] == pytest.approx(990 / 995)
    assert (cost["verdict"], cost["first_coverage"], cost["second_coverage"]) == (
        "worse",
        pytest.approx(497 / 995),
        1.0,
    )
    # A hundredth of a per cent is there, and matters to nobody.
    assert duration["low"] > 0  # pyright: ignore[reportOperatorIssue]
    assert duration["verdict"] == "same within the margin"
    assert (tools["first"], tools["second"], tools["first_runs"]) == (0.0, 0.0, 796)
    assert (denied["first"], denied["second"], denied["verdict"]) == (0.0, pytest.approx(0.2), "worse")


def test_looking_at_fewer_runs_says_so(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rows = answer(home, capfd, "refunds", "--by", "mode", "--from", "live", "--to", "shadow")
    verdicts = {row["metric"]: row["verdict"] for row in rows}
    assert verdicts["success rate"] == verdicts["cost per run"] == "needs data"
    assert main(["--home", str(home), "compare", "refunds", "--by", "mode", "--from", "live", "--to", "shadow"]) == 0
    assert "needs data: 10 runs of each" in capfd.readouterr().out


def test_shadow_runs_agree_with_people(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (row,) = answer(home, capfd, "refunds", "--shadow")
    assert (row["shadow_runs"], row["decided_by_both"], row["agreement"]) == (10, 10, 0.9)
    low, high = row["low"], row["high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert 0 < low < 0.9 < high < 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["refund", "--from", "1.0", "--to", "1.1"],
            "no workflow 'refund' among the runs (compare): use one of 'refunds'",
        ),
        (
            ["refunds", "--from", "1.0", "--to", "1.2"],
            "no release '1.2' among the runs (compare): use one of '1.1', '1.0'",
        ),
        (["refunds", "--by", "mode", "--from", "live", "--to", "canary"], "no mode 'canary'"),
        (["refunds", "--from", "1.0"], "two different groups are needed"),
        (["refunds", "--from", "1.0", "--to", "1.0"], "two different groups are needed"),
        (["refunds", "--shadow", "--to", "1.0"], "give one of them"),
        (["refunds", "--by", "phase", "--from", "a", "--to", "b"], "use release or mode"),
        (["refunds", "--from", "1.0", "--to", "1.1", "--alpha", "2"], "the level is out of range"),
        (["refunds'; DROP TABLE runs; --", "--from", "1.0", "--to", "1.1"], "no workflow"),
    ],
)
def test_what_is_not_there_is_one_clear_line(
    home: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["--home", str(home), "compare", *arguments]) == 1
    error = capfd.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_marts_of_an_earlier_version_ask_for_a_refresh(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Warehouse.open(tmp_path / "warehouse") as warehouse:
        columns = (
            "'w' AS workflow, unnest(['1', '2']) AS release, NULL::VARCHAR AS mode, now()::TIMESTAMP AS started_at"
        )
        warehouse.connection.execute(f"CREATE TABLE runs AS SELECT {columns}")
    assert main(["--home", str(tmp_path), "compare", "w", "--from", "1", "--to", "2"]) == 1
    told = capfd.readouterr().err
    assert "the marts are those of an earlier version" in told
    assert "does not have a column named" in told
    assert "run `plumbline refresh`" in told
    assert told.count("\n") == 1

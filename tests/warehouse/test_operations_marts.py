"""What the pages of tools and policies read: sums of calls, their shapes and errors, decisions, and what broke a rule."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.fleet import NOW, Fleet, tool_call
from warehouse import Warehouse, marts

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
AT = (NOW - DAY).replace(hour=9, minute=20)
BREACHES = ("approval bypassed", "carried out despite a deny", "irreversible without approval")


def decide(
    it: Fleet, run: str, version: str | None, *, policy: str = "limits", action: str = "allow", **more: Any
) -> None:
    number = len(it.rows.get("policy_decisions", ()))
    common = {"trace_id": run, "run_id": run, "span_id": f"d{number}", "enforced": True, "at": AT}
    it.add("policy_decisions", **common | {"policy": policy, "policy_version": version, "action": action, **more})


def approve(it: Fleet, run: str, status: str, tool: str = "pay") -> None:
    number = len(it.rows.get("approvals", ()))
    it.add("approvals", trace_id=run, span_id=f"a{number}", run_id=run, status=status, tool_name=tool, at=AT)


def fleet() -> Fleet:
    it = Fleet()
    for version, at in (("1", AT - 90 * DAY), ("2", AT - 60 * DAY), ("3", AT + DAY)):
        it.add("catalog_policies", policy="limits", version=version, effective_at=at)
    it.add("catalog_workflows", workflow="w", effects_allowed=["read"])
    failed = {"status": "error", "error_type": "timeout"}
    it.run(
        "one", "w",
        tool_call("look", tool_effect="read", tool_arguments_shape="aa", duration_ms=100.0),
        tool_call("look", tool_effect="read", tool_arguments_shape="aa", duration_ms=200.0, **failed),
        tool_call("look", tool_effect="read", tool_arguments_shape="bb", duration_ms=0.0, **failed),
        at=AT, release="r1", team="t",
    )  # fmt: skip
    it.run(
        "two",
        "w",
        tool_call("look", tool_arguments_shape="aa", duration_ms=100.0),
        at=AT + MINUTE,
        release="r1",
        team="t",
    )
    it.run("three", "w", tool_call("pay", tool_effect="irreversible"), at=AT + 2 * HOUR)
    it.run("four", "w", tool_call("pay", tool_effect="irreversible"), at=AT + 2 * HOUR)
    it.run("five", "other", tool_call("pay", tool_effect="irreversible"), at=AT + 2 * HOUR)
    approve(it, "four", "requested")
    approve(it, "four", "granted")
    approve(it, "five", "bypassed")
    decide(it, "one", "1")
    decide(it, "one", "2")
    decide(it, "one", "9")
    decide(it, "one", "3")
    decide(it, "one", None)
    decide(it, "two", "1", policy="elsewhere")
    decide(it, "two", "2", action="deny", enforced=False, rule="ceiling")
    decide(it, "two", "2", action="deny", enforced=True)
    return it


@pytest.fixture(scope="module")
def lake(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    path = tmp_path_factory.mktemp("operations") / "warehouse"
    shutil.copytree(template, path)
    with Warehouse.open(path) as warehouse:
        fleet().store(warehouse)
        for name in marts.names():
            marts.build(warehouse, name)
        yield warehouse


def test_calls_of_an_hour_are_sums_with_what_varies_between_runs(lake: Warehouse) -> None:
    [row] = lake.query("SELECT * FROM tool_calls_hourly WHERE tool_name = 'look'").to_dicts()
    assert (row["hour_at"], row["workflow"], row["team"], row["release"]) == (AT.replace(minute=0), "w", "t", "r1")
    assert (row["calls"], row["runs"], row["spanned_calls"], row["errors"]) == (4, 2, 4, 2)
    # Run one: three calls, two failed; run two: one call.
    assert (row["spanned_calls_squared"], row["errors_squared"], row["errors_by_calls"]) == (9 + 1, 4, 6)
    assert (row["read_calls"], row["write_calls"], row["irreversible_calls"]) == (3, 0, 0)


def test_durations_are_counted_in_buckets_of_an_eighth_of_a_doubling(lake: Warehouse) -> None:
    [row] = lake.query(
        "SELECT timed_calls, duration_ms, durations FROM tool_calls_hourly WHERE tool_name = 'look'"
    ).to_dicts()
    assert (row["timed_calls"], row["duration_ms"]) == (4, 400.0)
    found = (
        {entry["key"]: entry["value"] for entry in row["durations"]}
        if isinstance(row["durations"], list)
        else row["durations"]
    )
    assert sum(found.values()) == 4
    assert found[53] == 2 and 2 ** (53 / 8) <= 100 < 2 ** (54 / 8)
    assert found[61] == 1 and 2 ** (61 / 8) <= 200 < 2 ** (62 / 8)
    assert min(found) == -80, "no time at all counts as a microsecond"


def test_shapes_and_errors_are_counted_by_day(lake: Warehouse) -> None:
    rows = lake.query(
        "SELECT what, variant, calls, first_at FROM tool_variants_daily WHERE tool_name = 'look' ORDER BY 1, 2"
    )
    assert [row[:3] for row in rows.rows()] == [("arguments", "aa", 3), ("arguments", "bb", 1), ("error", "timeout", 2)]
    assert set(rows["first_at"].dt.date()) == {AT.date()}


def test_a_decision_stands_by_what_was_in_force_when_it_was_made(lake: Warehouse) -> None:
    sql = "SELECT version, standing, sum(events)::INT FROM policy_events_hourly WHERE what = 'decision' GROUP BY ALL"
    assert set(lake.query(sql).rows()) == {
        ("1", "outdated", 1), ("2", "in force", 3), ("9", "unknown version", 1), (None, "not stated", 1),
        ("1", "unknown policy", 1), ("3", "in force", 1),
    }  # fmt: skip


def test_approvals_and_denials_are_counted_with_what_was_carried_out_all_the_same(lake: Warehouse) -> None:
    sql = "SELECT result, sum(events)::INT, sum(carried_out)::INT FROM policy_events_hourly WHERE what = ? GROUP BY ALL"
    assert set(lake.query(sql, ["approval"]).rows()) == {("requested", 1, 0), ("granted", 1, 0), ("bypassed", 1, 0)}
    assert set(lake.query(sql, ["decision"]).rows()) == {("allow", 6, 0), ("deny", 2, 1)}


def test_findings_name_the_run_and_what_it_did(lake: Warehouse) -> None:
    found = lake.query("SELECT run_id, kind, name, detail FROM policy_findings ORDER BY ALL").rows()
    assert found == [
        ("five", "approval bypassed", "pay", None),
        ("five", "irreversible without approval", "pay", None),
        ("four", "effect not allowed", "pay", "irreversible"),
        ("one", "outdated version", "limits", "1"),
        ("one", "unknown version", "limits", "9"),
        ("three", "effect not allowed", "pay", "irreversible"),
        ("three", "irreversible without approval", "pay", None),
        ("two", "carried out despite a deny", "limits", "ceiling"),
    ]


def test_breaches_are_those_of_the_scorecard(lake: Warehouse) -> None:
    ours = lake.query(
        "SELECT workflow, sum(events)::INT FROM policy_findings WHERE is_breach GROUP BY 1 ORDER BY 1"
    ).rows()
    assert ours == lake.query(
        "SELECT workflow, sum(breaches)::INT AS n FROM governance_by_day GROUP BY 1 HAVING n > 0 ORDER BY 1"
    ).rows() == [("other", 2), ("w", 2)]  # fmt: skip
    kinds = lake.query("SELECT DISTINCT kind FROM policy_findings WHERE is_breach ORDER BY 1")["kind"].to_list()
    assert tuple(kinds) == BREACHES

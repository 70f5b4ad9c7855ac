"""Rows in, rows out: each rule of the marts' headers, on a small fleet."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.warehouse.fleet import NOW, Fleet, model_call, tool_call
from warehouse import Warehouse, WarehouseError, marts

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COSTS = np.random.default_rng(3).lognormal(-3, 0.6, 60).round(6)
WON = np.random.default_rng(4).random(60) < 0.7


def fleet() -> Fleet:
    it = Fleet()
    identity(it)
    money(it)
    outcomes(it)
    sharing(it)
    rollbacks(it)
    scorecard(it)
    return it


def identity(it: Fleet) -> None:
    it.run("named", "by-service", {"kind": "agent", "workflow": "by-name", "workflow_rank": 1}, workflow_rank=3)
    it.run("tied", "root-says", {"kind": "agent", "workflow": "child-says"})
    it.run("agent-late", "w", {"kind": "agent", "agent": "second"}, {"kind": "agent", "agent": "third"})
    it.run(
        "clock", "w",
        model_call(started_at=datetime(1970, 1, 1), ended_at=datetime(2100, 1, 1), quality_flags=["time_out_of_range"]),
    )  # fmt: skip
    lost = {
        "started_at": datetime(2100, 1, 1),
        "ended_at": datetime(2100, 1, 1),
        "quality_flags": ["time_out_of_range"],
    }
    it.run("lost", "lost", {**model_call(), **tool_call("t"), **lost}, **lost)
    it.run("models", "w", model_call(model="b"), model_call(model="a"), model_call(model="b"), model_call(model="a"))
    it.run("response", "w", model_call(model=None, response_model="r"))  # type: ignore[arg-type]


def money(it: Fleet) -> None:
    it.run("unpriced", "mixed", model_call(0.01), model_call(None, model="own"), outcome="success")
    it.run("priced", "mixed", model_call(0.03), outcome="failure")
    it.run("refused", "refusals", model_call(0.02), model_call(None, tokens=None, status="error"), outcome="success")
    it.run("silent", "silence", model_call(None, tokens=None), outcome="success")
    it.run(
        "tools", "tooling", tool_call("paid"), tool_call("paid", status="error"), tool_call("free"), outcome="success"
    )
    it.run("tools-unknown", "tooling", tool_call("free"), outcome="success")
    it.run("handed", "desk", model_call(0.5), outcome="escalated")
    it.run("handed-unknown", "mixed-desk", model_call(0.5), outcome="escalated")
    it.add("catalog_tools", tool_name="paid", cost_per_call_usd=0.25)
    it.add("catalog_workflows", workflow="desk", escalation_cost_usd=4.5)
    for number, (cost, won) in enumerate(zip(COSTS, WON, strict=True)):
        it.run(f"ratio-{number}", "ratio", model_call(float(cost)), outcome="success" if won else "failure")
    for number in range(5):
        it.run(f"hopeless-{number}", "hopeless", model_call(0.1), outcome="abandoned")


def outcomes(it: Fleet) -> None:
    it.run("open", "waiting", model_call(0.1), at=NOW - 23 * HOUR)
    it.run("closed", "waiting", model_call(0.1), at=NOW - 25 * HOUR)
    it.run("known", "waiting", model_call(0.2), at=NOW - HOUR, outcome="success")
    it.run("long", "patient", model_call(0.1), at=NOW - 25 * HOUR)
    it.add("catalog_workflows", workflow="patient", outcome_window_hours=48.0)
    it.run("changed", "changes", at=NOW - 2 * HOUR, outcome="success")
    it.outcome(run_id="changed", status="failure", at=NOW, source="topic")
    it.run("judged", "changes", outcome="failure")
    it.outcome(run_id="judged", status="success", at=NOW + DAY, source="evaluation")
    it.run("unjudged", "judging", at=NOW - 40 * HOUR)
    it.outcome(run_id="unjudged", status="failure", at=NOW, source="evaluation", name="politeness")
    it.outcome(run_id="unjudged", status="success", at=NOW - DAY, source="evaluation", name="settled")
    it.add("catalog_workflows", workflow="judging", outcome_name="settled")
    it.run("by-trace", "late")
    it.outcome(trace_id="by-trace", status="success", at=NOW, source="topic")
    for number, start in enumerate((NOW - 3 * HOUR, NOW - 2 * HOUR, NOW - HOUR)):
        it.run(f"session-{number}", "late", at=start, session_id="s")
    it.outcome(session_id="s", status="success", at=NOW - 90 * timedelta(minutes=1), source="topic", value_usd=20.0)
    it.run("session-3", "late", at=NOW - 4 * HOUR, session_id="s")
    it.outcome(trace_id="session-3", status="failure", at=NOW - 3 * HOUR, source="topic")
    it.outcome(run_id="never-came", status="success", at=NOW, source="topic")


def sharing(it: Fleet) -> None:
    for day, workflow in ((3, "one"), (2, "one"), (2, "two"), (1, "one")):
        tools = [tool_call("certified", tool_arguments_shape="c"), tool_call("lonely", tool_arguments_shape="l")]
        clones = [
            tool_call(f"search-{workflow}", tool_arguments_shape="same"),
            tool_call("own", tool_arguments_shape="o"),
        ]
        it.run(f"share-{day}-{workflow}", workflow, *tools, *clones, at=NOW - day * DAY, outcome="success")
    it.add("catalog_tools", tool_name="certified", certified=True)
    it.add("catalog_components", component_kind="policy", name="privacy", version="2", certified=True)
    for number, (run, version) in enumerate((("share-2-one", "2"), ("share-2-two", "2"), ("share-1-one", "1"))):
        at = NOW - int(run[6]) * DAY
        it.add(
            "policy_decisions", trace_id=run, span_id=str(number), run_id=run, policy="privacy", policy_version=version,
            action="allow", at=at,
        )  # fmt: skip


def release(it: Fleet, workflow: str, *calls: dict[str, Any], old: int = 30, won: bool = True, **root: Any) -> None:
    for number in range(old):
        status = "success" if won else "failure"
        it.run(f"{workflow}-old-{number}", workflow, at=NOW - 5 * DAY, outcome=status, **{"release": "1", **root})
    it.run(f"{workflow}-new", workflow, *calls, at=NOW - DAY, outcome="success", **{"release": "2", **root})


def drill(it: Fleet, workflow: str, minutes: float = 3.0, *, days: int = 10, kind: str = "version", **row: Any) -> None:
    at = NOW - days * DAY
    it.add(
        "rollbacks",
        **{
            "trace_id": "t", "span_id": f"{kind}-{days}", "run_id": f"{workflow}-new", "kind": kind, "drill": True, "at": at,
            "completed_at": at + timedelta(minutes=minutes), "status": "success", **row,
        },
    )  # fmt: skip


def rollbacks(it: Fleet) -> None:
    write = tool_call("writes", tool_effect="write")
    it.add("catalog_tools", tool_name="undoable", compensation="undo", effect="write")
    for workflow in ("sound", "slow", "stale", "untimed"):
        release(it, workflow, tool_call("undoable"), tool_call("undo"))
    drill(it, "sound", 3.0)
    drill(it, "sound", 1.0, kind="kill_switch")
    drill(it, "slow", 30.0)
    it.add("catalog_workflows", workflow="slow", rollback_objective_minutes=12.0)
    drill(it, "stale", days=91)
    drill(it, "untimed", completed_at=None)
    release(it, "unpinned", release=None)
    drill(it, "unpinned")
    release(it, "young", old=12)
    drill(it, "young")
    release(it, "bad-before", won=False)
    it.run("bad-before-new-2", "bad-before", at=NOW, outcome="success", release="2")
    drill(it, "bad-before")
    it.run("first-new", "first", release="1", outcome="success")
    drill(it, "first")
    release(
        it,
        "unsafe",
        write,
        {**write, "tool_call_id": "undone"},
        tool_call("x", compensates="undone", tool_effect="write"),
    )
    drill(it, "unsafe")
    release(it, "approved", tool_call("gone", tool_effect="irreversible"))
    it.add("approvals", trace_id="t", span_id="a", run_id="approved-new", status="granted", tool_name="gone", at=NOW)
    drill(it, "approved")
    release(it, "untold", tool_call("mystery"))
    drill(it, "untold")


def scorecard(it: Fleet) -> None:
    at = datetime(2025, 8, 10, 9)
    for number, outcome in enumerate(("success", "escalated", "failure", "success")):
        it.run(f"card-{number}", "card", model_call(0.1), at=at, outcome=outcome)
    for number, action in enumerate(("allow", "allow", "deny", "escalate")):
        it.add(
            "policy_decisions", trace_id="card-0", span_id=f"p{number}", run_id="card-0", policy="p", policy_version="1",
            action=action, at=at,
        )  # fmt: skip
    it.add("overrides", trace_id="card-1", span_id="x", run_id="card-1", at=at)
    it.add("overrides", trace_id="card-1", span_id="y", run_id="card-1", at=at)
    it.add("incidents", incident_id="i1", workflow="card", opened_at=at)
    it.add("incidents", incident_id="i2", workflow="card", opened_at=at + DAY)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Warehouse]:
    home = tmp_path_factory.mktemp("fleet") / "warehouse"
    shutil.copytree(template, home)
    with Warehouse.open(home) as warehouse:
        fleet().store(warehouse)
        for name in marts.names():
            marts.build(warehouse, name)
        yield warehouse


def one(warehouse: Warehouse, mart: str, **key: Any) -> dict[str, Any]:
    where = " AND ".join(f'"{name}" = ?' for name in key)
    rows = warehouse.query(f'SELECT * FROM "{mart}" WHERE {where}', list(key.values()))
    assert rows.height == 1, f"{mart} has {rows.height} rows for {key}"
    return rows.row(0, named=True)


def run(warehouse: Warehouse, run_id: str) -> dict[str, Any]:
    return one(warehouse, "runs", run_id=run_id)


def test_every_mart_builds_on_an_empty_warehouse(empty: Warehouse) -> None:
    assert {name: rows for name in marts.names() if (rows := marts.build(empty, name).rows)} == {"event_clock": 1}


def test_building_again_gives_the_same_rows(built: Warehouse) -> None:
    for name in marts.names():
        before = built.query(f"SELECT * FROM {name} ORDER BY ALL")
        assert marts.build(built, name).rows == before.height
        assert built.query(f"SELECT * FROM {name} ORDER BY ALL").equals(before)


def test_each_grain_is_unique(built: Warehouse) -> None:
    for name in marts.names():
        grain = ", ".join(f'"{column}"' for column in marts.models()[name].grain.split(", "))
        assert built.query(f"SELECT {grain} FROM {name} GROUP BY ALL HAVING count(*) > 1").is_empty(), name


def test_a_mart_before_those_it_reads_says_which(empty: Warehouse) -> None:
    with pytest.raises(WarehouseError, match="build cost_per_outcome first"):
        marts.build(empty, "cost_per_outcome_daily")
    with pytest.raises(WarehouseError, match="no mart 'nope'"):
        marts.build(empty, "nope")


def test_the_best_name_of_any_span_is_the_run_s_workflow(built: Warehouse) -> None:
    assert run(built, "named")["workflow"] == "by-name"
    assert run(built, "tied")["workflow"] == "root-says"


def test_identity_comes_from_the_first_span_that_has_it(built: Warehouse) -> None:
    assert run(built, "agent-late")["agent"] == "second"


def test_a_broken_clock_moves_neither_the_run_nor_the_windows(built: Warehouse) -> None:
    row = run(built, "clock")
    assert (row["started_at"], row["ended_at"], row["quality_flags"]) == (NOW, NOW, ["time_out_of_range"])
    assert run(built, "open")["is_pending"]


def test_a_run_without_any_good_time_is_counted_but_on_no_day(built: Warehouse) -> None:
    row = run(built, "lost")
    assert (row["started_at"], row["ended_at"], row["duration_ms"], row["is_pending"]) == (None, None, None, False)
    assert one(built, "cost_per_outcome_by_model", workflow="lost")["runs"] == 1
    for mart in ("cost_per_outcome_daily", "reuse_daily", "scorecard_daily"):
        assert built.query(f"SELECT count(*) FROM {mart} WHERE workflow = 'lost' OR year(date) <> 2025").item() == 0


def test_the_model_of_a_run_is_that_of_most_calls(built: Warehouse) -> None:
    assert run(built, "models")["model"] == "a"
    assert run(built, "response")["model"] == "r"
    assert run(built, "named")["model"] is None


def test_one_unpriced_call_makes_the_run_s_cost_unknown(built: Warehouse) -> None:
    assert (run(built, "unpriced")["model_cost_usd"], run(built, "unpriced")["cost_usd"]) == (None, None)
    row = one(built, "cost_per_outcome_daily", workflow="mixed")
    assert (row["successes"], row["priced_runs"], row["priced_successes"]) == (1, 1, 0)
    assert (row["cost_usd"], row["cost_per_success_usd"], row["failed_run_cost_usd"]) == (0.03, None, 0.03)
    assert row["price_coverage_ratio"] == pytest.approx(2 / 3)


def test_a_refused_call_without_tokens_costs_nothing_and_a_silent_one_is_unknown(built: Warehouse) -> None:
    assert run(built, "refused")["cost_usd"] == 0.02
    assert one(built, "cost_per_outcome_daily", workflow="refusals")["price_coverage_ratio"] == 1
    assert run(built, "silent")["cost_usd"] is None


def test_tools_cost_what_the_catalog_says(built: Warehouse) -> None:
    assert (run(built, "tools")["tool_cost_usd"], run(built, "tools")["cost_usd"]) == (0.5, 0.5)
    assert (run(built, "tools-unknown")["tool_cost_usd"], run(built, "tools-unknown")["cost_usd"]) == (None, 0.0)
    assert (run(built, "priced")["tool_cost_usd"], run(built, "tools")["tool_errors"]) == (0.0, 1)


def test_an_escalated_run_costs_the_person_too(built: Warehouse) -> None:
    assert (run(built, "handed")["escalation_cost_usd"], run(built, "handed")["cost_usd"]) == (4.5, 5.0)
    assert run(built, "handed-unknown")["escalation_cost_usd"] is None
    assert run(built, "priced")["escalation_cost_usd"] == 0


def test_cost_per_success_has_fieller_s_interval(built: Warehouse) -> None:
    row = one(built, "cost_per_outcome_daily", workflow="ratio")
    won = WON.astype(float)
    assert row["cost_per_success_usd"] == pytest.approx(COSTS.sum() / won.sum())
    # Fieller: the values R for which cost - R * success has a mean within 1.96 standard errors of zero.
    for bound in (row["ci_low_usd"], row["ci_high_usd"]):
        difference = COSTS - bound * won
        assert abs(difference.mean()) / (difference.std(ddof=1) / math.sqrt(len(won))) == pytest.approx(1.96)
    assert row["ci_low_usd"] < row["cost_per_success_usd"] < row["ci_high_usd"]


def test_without_a_success_there_is_no_cost_of_one(built: Warehouse) -> None:
    row = one(built, "cost_per_outcome_daily", workflow="hopeless")
    assert (row["successes"], row["cost_per_success_usd"], row["ci_low_usd"], row["ci_high_usd"]) == (
        0,
        None,
        None,
        None,
    )
    assert (row["cost_usd"], row["failed_run_cost_usd"]) == (pytest.approx(0.5), pytest.approx(0.5))


def test_pending_runs_are_told_and_left_out(built: Warehouse) -> None:
    assert [run(built, name)["is_pending"] for name in ("open", "closed", "known", "long")] == [
        True,
        False,
        False,
        True,
    ]
    row = one(built, "cost_per_outcome_by_model", workflow="waiting")
    assert (row["runs"], row["pending_runs"], row["successes"]) == (3, 1, 1)
    assert row["cost_per_success_usd"] == pytest.approx(0.3), (
        "the closed run counts as not successful, the open one not"
    )


def test_the_latest_statement_holds_and_explicit_ones_beat_evaluations(built: Warehouse) -> None:
    assert run(built, "changed")["outcome"] == "failure"
    assert run(built, "judged")["outcome"] == "failure"
    assert run(built, "unjudged")["outcome"] == "success", "politeness is not the catalog's outcome"


def test_late_outcomes_find_their_run_by_trace_or_session(built: Warehouse) -> None:
    assert run(built, "by-trace")["outcome"] == "success"
    found = [(row["outcome"], row["outcome_value_usd"]) for row in (run(built, f"session-{n}") for n in range(4))]
    assert found == [("success", None), ("success", 20.0), (None, None), ("failure", None)], "the value counts once"
    assert built.query("SELECT count(*) FROM runs WHERE run_id = 'never-came'").item() == 0


def test_reuse_counts_certified_components_once_two_workflows_use_them(built: Warehouse) -> None:
    def counted(days: int, workflow: str) -> tuple[int, int, int]:
        row = one(built, "reuse_daily", date=(NOW - days * DAY).date(), workflow=workflow)
        return row["invocations"], row["certified_shared_invocations"], row["clone_candidates"]

    assert counted(3, "one") == (4, 0, 1), "only one workflow uses it yet"
    assert counted(2, "one") == (5, 2, 1), "the tool, and the policy in its certified version"
    assert counted(2, "two") == (5, 2, 1)
    assert counted(1, "one")[:2] == (
        one(built, "reuse_daily", date=(NOW - DAY).date(), workflow="one")["invocations"],
        1,
    )
    fleet_row = one(built, "reuse_daily", date=(NOW - 2 * DAY).date(), workflow="(fleet)")
    assert (fleet_row["invocations"], fleet_row["certified_shared_invocations"]) == (10, 4)
    assert (fleet_row["reuse_ratio"], fleet_row["clone_candidates"]) == (0.4, 2)


@pytest.mark.parametrize(
    ("workflow", "score", "link"),
    [
        ("sound", 1.0, None),
        ("slow", 0.4, "objective"),
        ("stale", 0.0, "drill"),
        ("untimed", None, "objective"),
        ("unpinned", 0.0, "versions"),
        ("young", 0.4, "known_good"),
        ("bad-before", 0.9, "known_good"),
        ("first", 0.0, "known_good"),
        ("unsafe", 0.5, "compensation"),
        ("approved", 1.0, None),
        ("untold", None, "compensation"),
    ],
)
def test_rollback_readiness_is_its_weakest_link(
    built: Warehouse, workflow: str, score: float | None, link: str | None
) -> None:
    row = one(built, "rollback_readiness", workflow=workflow)
    assert (row["score"], row["weakest_link"]) == (pytest.approx(score) if score is not None else None, link)
    assert row["detail"]


def test_measured_rollbacks_are_in_minutes(built: Warehouse) -> None:
    row = one(built, "rollback_readiness", workflow="sound")
    assert (row["stop_minutes"], row["rollback_minutes"], row["objective_minutes"]) == (1.0, 3.0, 15.0)
    assert (row["known_good_release"], row["known_good_runs"]) == ("1", 30)
    assert row["detail"] == "every link holds"


def test_the_scorecard_of_one_day(built: Warehouse) -> None:
    for workflow in ("card", "(fleet)"):
        row = one(built, "scorecard_daily", date=datetime(2025, 8, 10).date(), workflow=workflow)
        assert (row["runs"], row["successes"], row["success_ratio"], row["incidents_opened"]) == (4, 2, 0.5, 1)
        assert (row["cost_per_success_usd"], row["policy_adherence_ratio"]) == (pytest.approx(0.2), 0.5)
        assert (row["escalation_ratio"], row["override_ratio"]) == (0.25, 0.25)
    quiet = one(built, "scorecard_daily", date=datetime(2025, 8, 11).date(), workflow="card")
    assert (quiet["runs"], quiet["incidents_opened"], quiet["success_ratio"]) == (0, 1, None)


def test_the_fleet_is_as_ready_as_its_weakest_workflow(built: Warehouse) -> None:
    last = "SELECT arg_max(rollback_readiness, date) FROM scorecard_daily WHERE workflow = '(fleet)'"
    assert built.query(last).item() == 0
    assert built.query("SELECT count(rollback_readiness) FROM scorecard_daily WHERE workflow = '(fleet)'").item() > 1


def test_a_mart_says_which_snapshot_it_is_from(built: Warehouse) -> None:
    comments = built.query("SELECT comment FROM duckdb_tables() WHERE table_name = ANY(?)", [marts.names()])["comment"]
    assert comments.str.contains(r"\[snapshot \d+\]$").all()
    assert len(comments) == len(marts.names())

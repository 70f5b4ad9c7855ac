"""What the board asks: each clause of the contract kept, broken and not provable; drills; the scorecard's rows and gaps."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.warehouse.fleet import NOW, Fleet, model_call, tool_call
from tests.warehouse.test_marts import drill, one, release
from warehouse import Warehouse, marts

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
USER = '{"user.id": "u"}'
SOUND: dict[str, Any] = {"attributes": USER, "agent": "a", "prompt_version": "p"}
PAY = tool_call("pay", tool_effect="irreversible")
CLAUSES = (
    "policy boundaries", "least privilege", "traceability", "approvals", "rollback and stop", "audit evidence",
    "cost envelope",
)  # fmt: skip


def decide(it: Fleet, run: str, action: str = "allow", version: str | None = "2", **more: Any) -> None:
    number = len(it.rows.get("policy_decisions", ()))
    it.add(
        "policy_decisions",
        **{
            "trace_id": run, "span_id": str(number), "run_id": run, "policy": "limits", "policy_version": version,
            "action": action, "enforced": True, "at": NOW - HOUR, **more,
        },
    )  # fmt: skip


def approve(it: Fleet, run: str, status: str = "granted") -> None:
    number = len(it.rows.get("approvals", ()))
    it.add("approvals", trace_id=run, span_id=str(number), run_id=run, status=status, at=NOW - HOUR)


def declare(it: Fleet, workflow: str, team: str | None = None, **more: Any) -> None:
    defaults = {"effects_allowed": ["read", "irreversible"], "cost_per_success_usd_objective": 1.0}
    it.add("catalog_workflows", **{"workflow": workflow, "team": team, **defaults, **more})


def fleet() -> Fleet:
    it = Fleet()
    for version, at in (("1", NOW - 90 * DAY), ("2", NOW - 60 * DAY), ("3", NOW + DAY)):
        it.add("catalog_policies", policy="limits", version=version, effective_at=at)
    release(it, "kept", PAY, **SOUND)
    drill(it, "kept")
    decide(it, "kept-new")
    approve(it, "kept-new")
    declare(it, "kept", "blue", budget_usd_per_month=100.0)
    release(it, "undrilled")
    broken(it)
    bare(it)
    exercises(it)
    figures(it)
    return it


def broken(it: Fleet) -> None:
    """One run that breaks each clause, beside one that keeps it."""
    for number, root in enumerate(({**SOUND, "release": "1"}, {**SOUND, "release": None, "prompt_version": None})):
        it.run(
            f"broken-{number}", "broken", model_call(9.0), {**PAY, "tool_call_id": f"b{number}"},
            at=NOW - DAY, outcome="success", **root,
        )  # fmt: skip
    approve(it, "broken-0")
    approve(it, "broken-1", "bypassed")
    decide(it, "broken-0", "deny", enforced=False)
    decide(it, "broken-0")
    decide(it, "broken-1", version="1")
    declare(it, "broken", "blue", effects_allowed=["read"])
    it.add("catalog_budgets", scope="workflow", name="broken", budget_usd_per_month=31.0)
    it.add("catalog_budgets", scope="team", name="blue", budget_usd_per_month=31_000.0)


def bare(it: Fleet) -> None:
    """Workflows that send next to nothing, and whose model nobody has priced."""
    it.run("bare-0", "bare", tool_call("mystery"), at=NOW - DAY, outcome="failure")
    it.run("own-0", "own-model", model_call(None, model="own"), at=NOW - 3 * DAY, outcome="success")


def exercises(it: Fleet) -> None:
    """Release 2 of each workflow runs every minute until it is stopped; release 1 takes over where it does."""
    began = NOW - 3 * HOUR

    def row(workflow: str, **more: Any) -> None:
        it.add(
            "drills",
            **{
                "drill_id": workflow, "workflow": workflow, "release": "2", "started_at": began,
                "stopped_at": began + HOUR, "said_by": None, "note": None, **more,
            },
        )  # fmt: skip

    def runs(workflow: str, version: str, first: int, last: int) -> None:
        for minute in range(first, last):
            name = f"{workflow}-{version}-{minute}"
            it.run(name, workflow, model_call(0.1), at=began + minute * MINUTE, outcome="success", release=version)

    for workflow, stops, takes_over in (("halted", 4, 7), ("heedless", 61, 70), ("ongoing", 2, 99)):
        runs(workflow, "2", -10, stops)
        runs(workflow, "1", takes_over, 60)
        row(workflow, stopped_at=None if workflow == "ongoing" else began + HOUR)
    runs("idle", "2", -200, -190)
    row("idle")


def figures(it: Fleet) -> None:
    at = datetime(2025, 8, 10, 9)
    it.add("catalog_workflows", workflow="west", team="red", effects_allowed=None, cost_per_success_usd_objective=None)
    for number in range(4):
        it.run(f"west-{number}", "west", tool_call("free"), tool_call("free"), at=at, outcome="success", release="1")
    it.run("east-0", "east", PAY, at=at, outcome="failure", release="1")
    it.run("east-1", "east", at=at + 30 * HOUR, outcome="failure", release="1")
    it.run("east-2", "east", at=at + 26 * HOUR, outcome="success", release="2")
    rolled = {"trace_id": "t", "run_id": "west-0", "kind": "version", "drill": False}
    it.add("rollbacks", **rolled, span_id="a", at=at, completed_at=at + 8 * MINUTE, status="success")
    it.add("rollbacks", **rolled, span_id="b", at=at, completed_at=at + 90 * MINUTE, status="failed")
    for number, (workflow, hours) in enumerate((("west", 1), ("east", 1.5), ("west", 5))):
        it.add("incidents", incident_id=f"i{number}", workflow=workflow, opened_at=at + hours * HOUR)
        it.add("signals", signal_id=f"s{number}", incident_id=f"i{number}", created_at=at + hours * HOUR)
    it.add("acknowledgements", acknowledgement_id="k", incident_id="i0", judgement="real", stated_at=at + 2 * HOUR)
    it.add("acknowledgements", acknowledgement_id="l", incident_id="i0", judgement="resolved", stated_at=at + 9 * HOUR)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Warehouse]:
    home = tmp_path_factory.mktemp("board") / "warehouse"
    shutil.copytree(template, home)
    with Warehouse.open(home) as warehouse:
        fleet().store(warehouse)
        for name in marts.names():
            marts.build(warehouse, name)
        yield warehouse


def states(built: Warehouse, workflow: str) -> dict[str, str]:
    rows = built.query(
        "SELECT clause, state FROM reliability_contract WHERE workflow = ? ORDER BY clause_number", [workflow]
    )
    assert tuple(rows["clause"]) == CLAUSES
    return dict(rows.rows())


def test_a_workflow_that_sends_and_does_all_keeps_its_contract(built: Warehouse) -> None:
    # Its old runs called nothing and carry what is needed: identity, versions, outcome.
    assert set(states(built, "kept").values()) == {"kept"}
    assert built.query("SELECT count(to_do) FROM reliability_contract WHERE workflow = 'kept'").item() == 0


@pytest.mark.parametrize(
    ("clause", "runs", "words"),
    [
        (
            "policy boundaries",
            {"broken-0", "broken-1"},
            "1 denied actions were carried out, 1 decisions were made under",
        ),
        ("least privilege", {"broken-0", "broken-1"}, "2 calls had an effect that the catalog does not allow"),
        ("traceability", {"broken-1"}, "1 of 2 settled runs lack a version"),
        ("approvals", {"broken-1"}, "1 irreversible calls without a granted approval, 1 approvals bypassed"),
        ("audit evidence", {"broken-1"}, "1 of 2 settled runs can't be rebuilt, mostly for want of versions"),
        ("cost envelope", {"broken-0", "broken-1"}, "a success costs 9.0000 US dollars, 1.0000 are allowed"),
    ],
)
def test_a_broken_clause_names_its_runs(built: Warehouse, clause: str, runs: set[str], words: str) -> None:
    row = one(built, "reliability_contract", workflow="broken", clause=clause)
    assert (row["state"], set(row["run_ids"])) == ("broken", runs)
    assert row["broken_runs"] == (None if clause == "cost envelope" else len(runs))
    assert words in row["detail"] and row["to_do"]


def test_what_was_never_sent_proves_nothing_and_says_what_to_send(built: Warehouse) -> None:
    found = states(built, "bare")
    assert found.pop("rollback and stop") == "broken", "there is no release to go back to"
    assert set(found.values()) == {"not provable"}
    rows = built.query("SELECT clause, to_do FROM reliability_contract WHERE workflow = 'bare'").rows()
    todo = dict(rows)
    assert "plumbline.policy.decision" in todo["policy boundaries"] and "mystery" in todo["approvals"]
    assert "user.id" in todo["least privilege"] and "plumbline.release" in todo["traceability"]


def test_without_a_drill_stopping_is_not_provable(built: Warehouse) -> None:
    row = one(built, "rollback_readiness", workflow="undrilled")
    assert (row["weakest_link"], row["drill_score"]) == ("drill", 0.0)
    assert "plumbline drill" in row["to_do"]
    assert states(built, "undrilled")["rollback and stop"] == "not provable"


def test_a_drill_takes_as_long_as_the_stopped_release_acts(built: Warehouse) -> None:
    halted = one(built, "drills_measured", drill_id="halted")
    assert halted["stop_minutes"] == pytest.approx(3 + 1 / 60), "its last call, a second into the run of minute 3"
    assert (halted["taken_over_by"], halted["rollback_minutes"], halted["is_success"]) == ("1", 7.0, True)
    ready = one(built, "rollback_readiness", workflow="halted")
    assert (ready["drill_score"], ready["rollback_minutes"]) == (1.0, 7.0)
    assert ready["stop_minutes"] == pytest.approx(halted["stop_minutes"])


@pytest.mark.parametrize(
    ("workflow", "was_running", "success"), [("heedless", True, False), ("ongoing", True, None), ("idle", False, False)]
)
def test_a_drill_that_stopped_nothing_is_no_success(
    built: Warehouse, workflow: str, was_running: bool, success: bool | None
) -> None:
    row = one(built, "drills_measured", drill_id=workflow)
    assert (row["was_running"], row["is_success"]) == (was_running, success)
    assert (row["stop_minutes"] is None) == (not was_running)
    assert one(built, "rollback_readiness", workflow=workflow)["drill_score"] == 0.0


def test_breaches_incidents_and_rollbacks_of_a_day(built: Warehouse) -> None:
    day = datetime(2025, 8, 10).date()
    west = one(built, "scorecard_daily", date=day, workflow="west")
    assert (west["actions"], west["breaches"], west["breaches_per_1000_actions"]) == (8, 0, 0.0)
    assert (west["incidents_opened"], west["incidents_per_1000_actions"], west["containment_ratio"]) == (2, 250.0, 0.5)
    assert west["minutes_to_diagnose"] == 60.0, "the first judgement, of the one that was judged"
    assert (west["rollbacks"], west["reversibility_ratio"], west["minutes_to_rollback"]) == (2, 0.5, 8.0)
    east = one(built, "scorecard_daily", date=day, workflow="east")
    assert (east["breaches"], east["breaches_per_1000_actions"], east["rollbacks"]) == (1, 1000.0, 0)
    assert (east["reversibility_ratio"], east["minutes_to_diagnose"]) == (None, None)
    team = one(built, "scorecard_daily", date=day, workflow="(team)")
    assert (team["team"], team["runs"], team["actions"], team["incidents_opened"]) == ("red", 4, 8, 2)
    whole = one(built, "scorecard_daily", date=day, workflow="(fleet)")
    assert (whole["runs"], whole["actions"], whole["incidents_opened"], whole["breaches"]) == (5, 9, 3, 1)


def test_an_update_lasts_until_the_last_run_on_the_version_before(built: Warehouse) -> None:
    row = one(built, "scorecard_daily", date=datetime(2025, 8, 11).date(), workflow="east")
    assert row["hours_to_update"] == 4.0
    going = built.query("SELECT count(hours_to_update) FROM scorecard_daily WHERE workflow = 'heedless'").item()
    assert going == 0, "both versions are in use still"


def test_a_day_is_within_its_even_share_of_the_month(built: Warehouse) -> None:
    day = (NOW - DAY).date()
    assert one(built, "scorecard_daily", date=day, workflow="broken")["is_within_budget"] is False
    assert one(built, "scorecard_daily", date=day, workflow="(team)", team="blue")["is_within_budget"] is True
    assert one(built, "scorecard_daily", date=day, workflow="(fleet)")["is_within_budget"] is None


def test_each_missing_figure_says_what_to_send(built: Warehouse) -> None:
    gaps = dict(built.query("SELECT figure, to_do FROM scorecard_gaps WHERE workflow = 'bare'").rows())
    assert set(gaps) == {
        "cost_per_success_usd", "is_within_budget", "reuse_ratio", "rollback_readiness", "policy_adherence_ratio", "breaches",
        "reversibility_ratio",
    } - ({"rollback_readiness"} if one(built, "rollback_readiness", workflow="bare")["score"] == 0 else set())  # fmt: skip
    assert "mystery" in gaps["breaches"]
    own = dict(built.query("SELECT figure, to_do FROM scorecard_gaps WHERE workflow = 'own-model'").rows())
    for figure in ("cost_usd", "cost_per_success_usd"):
        assert "in the catalog (prices:)" in own[figure], "where prices are read from: docs/prices.md"
    assert built.query("SELECT count(*) FROM scorecard_gaps WHERE lacks IS NULL OR to_do IS NULL").item() == 0

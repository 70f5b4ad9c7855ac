"""What the board asks: each clause of the contract kept, broken and not provable; drills; the scorecard's rows and gaps."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.warehouse.board import DAY
from tests.warehouse.fleet import NOW, Fleet, model_call, tool_call
from tests.warehouse.test_marts import one
from warehouse import Warehouse, marts

CLAUSES = (
    "policy boundaries", "least privilege", "traceability", "approvals", "rollback and stop", "audit evidence",
    "cost envelope",
)  # fmt: skip


def states(board: Warehouse, workflow: str) -> dict[str, str]:
    rows = board.query(
        "SELECT clause, state FROM reliability_contract WHERE workflow = ? ORDER BY clause_number", [workflow]
    )
    assert tuple(rows["clause"]) == CLAUSES
    return dict(rows.rows())


def test_a_workflow_that_sends_and_does_all_keeps_its_contract(board: Warehouse) -> None:
    # Its old runs called nothing and carry what is needed: identity, versions, outcome.
    assert set(states(board, "kept").values()) == {"kept"}
    assert board.query("SELECT count(to_do) FROM reliability_contract WHERE workflow = 'kept'").item() == 0


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
def test_a_broken_clause_names_its_runs(board: Warehouse, clause: str, runs: set[str], words: str) -> None:
    row = one(board, "reliability_contract", workflow="broken", clause=clause)
    assert (row["state"], set(row["run_ids"])) == ("broken", runs)
    assert row["broken_runs"] == len(runs)
    assert words in row["detail"] and row["to_do"]


@pytest.mark.parametrize(
    ("at", "flag"),
    [
        pytest.param(datetime(1971, 1, 1), "time_out_of_range", id="wrong clock"),
        pytest.param(None, "time_missing", id="no clock"),
    ],
)
def test_a_call_that_says_no_time_of_its_run_counts_all_the_same(
    empty: Warehouse, at: datetime | None, flag: str
) -> None:
    it = Fleet()
    odd = tool_call("pay", tool_effect="irreversible", started_at=at, ended_at=at, quality_flags=[flag])
    it.run("odd", "w", model_call(), odd, outcome="success")
    it.run("even", "w", model_call(), outcome="success")
    it.store(empty)
    for name in marts.names():
        marts.build(empty, name)
    row = one(empty, "reliability_contract", workflow="w", clause="approvals")
    assert (row["state"], row["checked"], row["run_ids"]) == ("broken", 1, ["odd"])


@pytest.mark.parametrize(
    ("workflow", "link", "runs"),
    [
        ("broken", "known_good", {"broken-0"}),  # of the release in service, which has none before it
        ("loose", "versions", {"loose-bare"}),
        ("unsafe", "compensation", {"unsafe-new"}),
        ("slow", "objective", {"slow-old-0"}),
    ],
)
def test_a_weak_link_of_rollback_names_the_runs_it_is_about(
    board: Warehouse, workflow: str, link: str, runs: set[str]
) -> None:
    assert one(board, "rollback_readiness", workflow=workflow)["weakest_link"] == link
    row = one(board, "reliability_contract", workflow=workflow, clause="rollback and stop")
    assert (row["state"], row["broken_runs"], set(row["run_ids"])) == ("broken", len(runs), runs)


def test_a_write_is_undone_by_a_call_of_its_run_or_by_one_whose_run_has_none_of_that_id(board: Warehouse) -> None:
    covered = dict(
        board.query("SELECT tool_name, covered_calls FROM effects_by_day WHERE workflow = 'undoing'").iter_rows()
    )
    assert covered == {"same": 1, "later": 0, "namesake": 1}, "the day's own mart knows what was undone within the run"
    ready = one(board, "rollback_readiness", workflow="undoing")
    assert ready["compensated_write_ratio"] == pytest.approx(3 / 4), "one namesake in another run stays as it is"
    row = one(board, "reliability_contract", workflow="undoing", clause="rollback and stop")
    assert (ready["weakest_link"], row["run_ids"]) == ("compensation", ["undoing-new"])


def test_a_budget_is_broken_by_the_runs_that_came_when_it_was_spent(board: Warehouse) -> None:
    row = one(board, "reliability_contract", workflow="overspent", clause="cost envelope")
    assert row["detail"] == "the month has spent 10.00 of 5.50 US dollars"
    assert (row["state"], row["broken_runs"]) == ("broken", 2)
    assert row["run_ids"] == ["overspent-3", "overspent-2"], "the dearest first; the shadow run had taken its part"


def test_what_was_never_sent_proves_nothing_and_says_what_to_send(board: Warehouse) -> None:
    found = states(board, "bare")
    assert found.pop("rollback and stop") == "broken", "there is no release to go back to"
    assert set(found.values()) == {"not provable"}
    rows = board.query("SELECT clause, to_do FROM reliability_contract WHERE workflow = 'bare'").rows()
    todo = dict(rows)
    assert "plumbline.policy.decision" in todo["policy boundaries"] and "mystery" in todo["approvals"]
    assert "user.id" in todo["least privilege"] and "plumbline.release" in todo["traceability"]


def test_without_a_drill_stopping_is_not_provable(board: Warehouse) -> None:
    row = one(board, "rollback_readiness", workflow="undrilled")
    assert (row["weakest_link"], row["drill_score"]) == ("drill", 0.0)
    assert "plumbline drill" in row["to_do"]
    assert states(board, "undrilled")["rollback and stop"] == "not provable"


def test_a_drill_takes_as_long_as_the_stopped_release_acts(board: Warehouse) -> None:
    halted = one(board, "drills_measured", drill_id="halted")
    assert halted["stop_minutes"] == pytest.approx(3 + 1 / 60), "its last call, a second into the run of minute 3"
    assert (halted["taken_over_by"], halted["rollback_minutes"], halted["is_success"]) == ("1", 7.0, True)
    ready = one(board, "rollback_readiness", workflow="halted")
    assert (ready["drill_score"], ready["rollback_minutes"]) == (1.0, 7.0)
    assert ready["stop_minutes"] == pytest.approx(halted["stop_minutes"])


@pytest.mark.parametrize(
    ("workflow", "was_running", "success"), [("heedless", True, False), ("ongoing", True, None), ("idle", False, False)]
)
def test_a_drill_that_stopped_nothing_is_no_success(
    board: Warehouse, workflow: str, was_running: bool, success: bool | None
) -> None:
    row = one(board, "drills_measured", drill_id=workflow)
    assert (row["was_running"], row["is_success"]) == (was_running, success)
    assert (row["stop_minutes"] is None) == (not was_running)
    assert one(board, "rollback_readiness", workflow=workflow)["drill_score"] == 0.0


def test_breaches_incidents_and_rollbacks_of_a_day(board: Warehouse) -> None:
    day = datetime(2025, 8, 10).date()
    west = one(board, "scorecard_daily", date=day, workflow="west")
    assert (west["actions"], west["breaches"], west["breaches_per_1000_actions"]) == (8, 0, 0.0)
    assert (west["incidents_opened"], west["incidents_per_1000_actions"], west["containment_ratio"]) == (2, 250.0, 0.5)
    assert west["minutes_to_diagnose"] == 60.0, "the first judgement, of the one that was judged"
    assert (west["rollbacks"], west["reversibility_ratio"], west["minutes_to_rollback"]) == (2, 0.5, 8.0)
    east = one(board, "scorecard_daily", date=day, workflow="east")
    assert (east["breaches"], east["breaches_per_1000_actions"], east["rollbacks"]) == (1, 1000.0, 0)
    assert (east["reversibility_ratio"], east["minutes_to_diagnose"]) == (None, None)
    team = one(board, "scorecard_daily", date=day, workflow="(team)")
    assert (team["team"], team["runs"], team["actions"], team["incidents_opened"]) == ("red", 4, 8, 2)
    whole = one(board, "scorecard_daily", date=day, workflow="(fleet)")
    assert (whole["runs"], whole["actions"], whole["incidents_opened"], whole["breaches"]) == (5, 9, 3, 1)


def test_an_update_lasts_until_the_last_run_on_the_version_before(board: Warehouse) -> None:
    row = one(board, "scorecard_daily", date=datetime(2025, 8, 11).date(), workflow="east")
    assert row["hours_to_update"] == 4.0
    going = board.query("SELECT count(hours_to_update) FROM scorecard_daily WHERE workflow = 'heedless'").item()
    assert going == 0, "both versions are in use still"


def test_a_day_is_within_its_even_share_of_the_month(board: Warehouse) -> None:
    day = (NOW - DAY).date()
    assert one(board, "scorecard_daily", date=day, workflow="broken")["is_within_budget"] is False
    assert one(board, "scorecard_daily", date=day, workflow="(team)", team="blue")["is_within_budget"] is True
    assert one(board, "scorecard_daily", date=day, workflow="(fleet)")["is_within_budget"] is None


def test_each_missing_figure_says_what_to_send(board: Warehouse) -> None:
    gaps = dict(board.query("SELECT figure, to_do FROM scorecard_gaps WHERE workflow = 'bare'").rows())
    assert set(gaps) == {
        "cost_per_success_usd", "is_within_budget", "reuse_ratio", "rollback_readiness", "policy_adherence_ratio", "breaches",
        "reversibility_ratio", "minutes_to_rollback", "override_ratio", "hours_to_update",
    } - ({"rollback_readiness"} if one(board, "rollback_readiness", workflow="bare")["score"] == 0 else set())  # fmt: skip
    assert "mystery" in gaps["breaches"]
    own = dict(board.query("SELECT figure, to_do FROM scorecard_gaps WHERE workflow = 'own-model'").rows())
    for figure in ("cost_usd", "cost_per_success_usd"):
        assert "in the catalog (prices:)" in own[figure], "where prices are read from: docs/prices.md"
    assert board.query("SELECT count(*) FROM scorecard_gaps WHERE lacks IS NULL OR to_do IS NULL").item() == 0


def test_gaps_of_a_team_and_of_the_fleet_count_the_workflows_that_lack_a_figure(board: Warehouse) -> None:
    rows = board.query("SELECT * FROM scorecard_gaps")
    own = rows.filter(~rows["workflow"].is_in(["(team)", "(fleet)"]))
    fleet = rows.filter(rows["workflow"] == "(fleet)")
    assert dict(own.group_by("figure").len().iter_rows()) == dict(
        fleet.select("figure", "lacking_workflows").iter_rows()
    )
    recent = "SELECT count(DISTINCT workflow) FROM runs, event_clock WHERE started_at > latest_at - INTERVAL 30 DAY"
    assert fleet["workflows"].unique().to_list() == [board.query(recent).item()]
    blue = rows.filter((rows["workflow"] == "(team)") & (rows["team"] == "blue"))
    in_team = own.filter(own["workflow"].is_in(["kept", "broken"]))
    assert dict(in_team.group_by("figure").len().iter_rows()) == dict(
        blue.select("figure", "lacking_workflows").iter_rows()
    )
    assert blue["workflows"].unique().to_list() == [2]


def test_a_rollback_that_tells_its_time_is_no_gap_and_one_that_does_not_is(board: Warehouse) -> None:
    timed = {
        workflow
        for (workflow,) in board.query(
            "SELECT workflow FROM per ANTI JOIN (SELECT workflow FROM scorecard_gaps WHERE figure = 'minutes_to_rollback') "
            "USING (workflow)".replace("per ", "(SELECT DISTINCT workflow FROM runs WHERE started_at > '2025-08-02') ")
        ).rows()
    }
    assert timed == {"west"}

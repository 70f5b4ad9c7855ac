"""Containment: only what the catalog allows, and a rollback only to what ran before and was good."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.alerts.containment import ACTIONS, KNOWN_GOOD_RUNS, Allowed, Record, Situation, actions
from pipelines.contracts.catalog import WorkflowEntry

CAUSE = {"attribute": "release", "before": "2", "after": "3", "separates": 1.0}
GOOD = Record("2", 120, 100, 85, 400, 340)


def situation(family: str = "behavior", **more: Any) -> Situation:
    given: dict[str, Any] = {"dimension": "", "cause": None, "earlier": (), "allowed": Allowed(), **more}
    return Situation(family=family, **given)


def names(given: Situation) -> list[str | None]:
    return [each["action"] for each in actions(given)]


def test_the_catalog_and_the_code_know_the_same_actions() -> None:
    assert WorkflowEntry(containment=ACTIONS).containment == ACTIONS
    with pytest.raises(ValueError, match="throttle"):
        WorkflowEntry(containment=("reboot",))  # pyright: ignore[reportArgumentType]


def test_a_bad_release_is_rolled_back_to_the_one_before_it() -> None:
    first = actions(situation(cause=CAUSE, earlier=[GOOD]))[0]
    assert (first["action"], first["target"]) == ("roll_back", "2")
    assert first["text"] == "roll back to release 2 (120 runs before the onset, 85% of known outcomes a success)"


@pytest.mark.parametrize(
    "bad",
    [
        Record("2", KNOWN_GOOD_RUNS - 1, 20, 20, 400, 340),
        Record("2", 120, 100, 40, 400, 340),
        Record("3", 120, 100, 85, 400, 340),
    ],
    ids=["hardly ran", "succeeded less", "is the new one itself"],
)
def test_nothing_is_rolled_back_to_a_release_that_was_not_good(bad: Record) -> None:
    assert "roll_back" not in names(situation(cause=CAUSE, earlier=[bad]))
    older = Record("1", 90, 0, 0, 400, 340)
    found = actions(situation(cause=CAUSE, earlier=[bad, older]))
    assert found[0]["target"] == "1" and "outcomes not known" in found[0]["text"]


def test_what_can_t_be_undone_by_a_rollback_is_said_with_the_objective() -> None:
    allowed = Allowed(rollback_objective_minutes=15, irreversible=frozenset({"send_money"}))
    text = actions(situation(cause=CAUSE, earlier=[GOOD], allowed=allowed, calls_since={"send_money": 3, "look": 9}))[
        0
    ]["text"]
    assert text.endswith("; objective 15 min; it does not undo 3 calls of send_money since the onset")


def test_each_family_has_its_first_step() -> None:
    assert names(situation("cost"))[0] == "throttle"
    assert names(situation("behavior"))[0] == names(situation("data"))[0] == "route_to_person"
    assert actions(situation("tool", dimension="lookup"))[0]["text"] == "disable tool lookup until its owner has looked"
    money = Allowed(irreversible=frozenset({"send_money"}))
    stopped = actions(situation("policy", allowed=money, calls_since={"look": 90, "send_money": 2}))[0]
    assert (stopped["action"], stopped["target"]) == ("disable_tool", "send_money")
    assert "can't be undone" in stopped["text"]
    assert "disable_tool" not in names(situation("policy", calls_since={"look": 90}))


def test_a_policy_rule_about_one_tool_stops_that_tool() -> None:
    money = Allowed(irreversible=frozenset({"send_money"}))
    calls = {"grant_access": 1, "send_money": 2}
    offer = actions(situation("policy", dimension="grant_access", allowed=money, calls_since=calls))[0]
    assert (offer["action"], offer["target"]) == ("disable_tool", "grant_access")
    offer = actions(situation("policy", dimension="refund-limits 9", allowed=money, calls_since=calls))[0]
    assert offer["target"] == "send_money", "a policy's version is no tool"


def test_only_what_the_catalog_allows_is_offered() -> None:
    allowed = Allowed(actions=("throttle",))
    assert names(situation("tool", dimension="lookup", cause=CAUSE, earlier=[GOOD], allowed=allowed)) == ["throttle"]
    nothing = Allowed(actions=(), owner="payments")
    assert actions(situation("tool", dimension="lookup", allowed=nothing)) == [
        {"action": None, "target": None, "text": "the catalog allows no containment that fits: ask its owner, payments"}
    ]

"""Safe to expand: all seven conditions, or it says which one fails and which can't be proved."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from dashboards.controls import controls
from dashboards.expanding import expansion

NOW = {
    "workflow": "w",
    "settled_runs": 900,
    "successes": 810,
    "success_ratio": 0.9,
    "cost_per_success_usd": 0.5,
    "ci_low_usd": 0.48,
    "ci_high_usd": 0.52,
    "price_coverage_ratio": 1.0,
}
GOOD: dict[str, Any] = {
    "incidents": 0,
    "readiness": {"score": 1.0, "weakest_link": "versions", "detail": "every link holds"},
    "clauses": [{"clause": "approvals", "state": "kept"}],
    "objective": {"success_ratio_objective": 0.8, "cost_per_success_usd_objective": 0.6},
    "budget": ("Within budget", "good"),
}


def judged(**changes: Any):
    now = {**NOW, **changes.pop("now", {})}
    return expansion(now, changes.pop("before", None), **{**GOOD, **changes})


def test_all_conditions_met_is_safe() -> None:
    found = judged()
    assert found.verdict[0] == "Safe to expand" and not found.against
    assert len(found.conditions) == 7


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"incidents": 2}, "2 open incidents"),
        ({"now": {"success_ratio": 0.7}}, "target 80"),
        ({"now": {"cost_per_success_usd": 0.7}}, "target $0.6"),
        ({"budget": ("Will run over", "bad")}, "budget: will run over"),
        ({"readiness": {"score": 0.5, "weakest_link": "drill", "detail": "none"}}, "rollback readiness 0.50"),
        ({"clauses": [{"clause": "approvals", "state": "broken"}]}, "contract broken: approvals"),
        ({"before": {**NOW, "cost_per_success_usd": 0.3, "ci_low_usd": 0.29, "ci_high_usd": 0.31}}, "rose"),
    ],
)
def test_one_broken_condition_holds(changes: dict[str, Any], said: str) -> None:
    found = judged(**changes)
    assert found.verdict[0] == "Hold"
    assert said in found.against[0].said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"now": {"settled_runs": 99}}, "100 are needed"),
        ({"now": {"success_ratio": None}}, "send outcomes"),
        ({"now": {"cost_per_success_usd": None}}, "not known"),
        ({"now": {"price_coverage_ratio": 0.9}}, "priced"),
        ({"budget": None}, "no budget"),
        ({"budget": ("May run over", "warn")}, "may run over"),
        ({"readiness": None}, "not proven"),
        ({"clauses": None}, "not been checked"),
        ({"clauses": [{"clause": "audit evidence", "state": "not provable"}]}, "not provable: audit evidence"),
    ],
)
def test_missing_evidence_is_not_proven_and_never_safe(changes: dict[str, Any], said: str) -> None:
    found = judged(**changes)
    assert found.verdict[0] == "Not proven"
    assert said in found.against[0].said


def test_what_is_broken_is_said_before_what_is_missing() -> None:
    found = judged(readiness=None, incidents=1)
    assert [each.is_met for each in found.against] == [False, None]


def test_days_of_control_weigh_what_they_rest_on() -> None:
    days = pl.DataFrame(
        {
            "span": ["previous", "current", "current"],
            "date": ["1", "2", "3"],
            "runs": [10, 10, 90],
            "actions": [100, 100, 300],
            "breaches": [1, 2, 2],
            "override_ratio": [0.1, 0.5, 0.1],
            "audit_completeness_ratio": [None, 1.0, None],
            "incidents_opened": [0, 0, 2],
            "containment_ratio": [None, None, 0.5],
            "minutes_to_diagnose": [None, None, None],
            "rollbacks": [0, 1, 3],
            "reversibility_ratio": [None, 0.0, 1.0],
            "minutes_to_rollback": [None, 4.0, 8.0],
            "hours_to_update": [None, None, None],
            "is_within_budget": [True, True, False],
        },
        schema_overrides={"minutes_to_diagnose": pl.Float64, "hours_to_update": pl.Float64},
    )
    found = {each.key: each for each in controls(days)}
    assert (found["breach_rate"].now, found["breach_rate"].before) == (pytest.approx(10.0), pytest.approx(10.0))
    assert found["override_rate"].now == pytest.approx(0.14)
    assert found["audit"].now == 1.0 and found["audit"].rests_on == 10
    assert found["reversibility"].now == 0.75 and found["rollback_time"].now == 7.0
    assert found["within_budget"].now == 0.5
    assert found["diagnosis"].now is None and found["diagnosis"].shown == "–"
    assert found["containment"].trend == [None, None, 0.5]

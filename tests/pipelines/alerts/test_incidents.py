"""Incidents: one per workflow and stretch of time, the same whatever the batches, with words from numbers alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.alerts.incidents import SAME_INCIDENT, Incident, assign
from pipelines.alerts.wording import headline

T0 = datetime(2026, 9, 10)
FAMILIES = ("cost", "tool", "policy")


def signal(
    hours: float, *, workflow: str = "desk", family: str = "tool", metric: str = "tool_error", **more: Any
) -> dict[str, Any]:
    return {
        "workflow": workflow,
        "family": family,
        "metric": metric,
        "dimension": "",
        "at": T0 + timedelta(hours=hours),
        "onset_at": T0 + timedelta(hours=hours - 1),
        "headline": f"{metric} changed",
        "run_ids": [f"run-{hours}"],
        **more,
    }


def test_signals_close_in_time_join_one_incident_per_workflow() -> None:
    rows, incidents = assign([signal(0), signal(3, family="cost"), signal(4, workflow="other")], [])
    assert len(incidents) == 2
    desk = next(each for each in incidents if each.workflow == "desk")
    assert (desk.signals, desk.families, desk.family) == (2, ("tool", "cost"), "tool")
    assert {row["incident_id"] for row in rows if row["workflow"] == "desk"} == {desk.incident_id}


def test_a_signal_long_after_the_last_opens_a_new_incident() -> None:
    gap = SAME_INCIDENT.total_seconds() / 3600 + 2
    _, incidents = assign([signal(0), signal(gap)], [])
    assert len(incidents) == 2


def test_a_slow_stream_that_saw_the_same_onset_joins_however_late() -> None:
    slow = {**signal(60, metric="tokens_per_call"), "onset_at": T0}
    assert len(assign([signal(0), slow], [])[1]) == 1


def test_policy_drift_is_critical() -> None:
    assert assign([signal(0, family="policy")], [])[1][0].severity == "critical"
    assert assign([signal(0)], [])[1][0].severity == "warning"


@given(st.lists(st.tuples(st.integers(0, 90), st.sampled_from(["desk", "other"])), max_size=12), st.integers(0, 12))
def test_incidents_do_not_depend_on_where_signals_are_cut(parts: list[tuple[int, str]], cut: int) -> None:
    signals = [
        signal(hours, workflow=workflow, family=FAMILIES[number % 3], metric=f"m{number}", log_e=20.0 + hours % 7)
        for number, (hours, workflow) in enumerate(sorted(parts))
    ]
    whole = {each.incident_id: each for each in assign(signals, [])[1]}
    pieces: dict[str, Incident] = {}
    for piece in (signals[:cut], signals[cut:]):
        pieces.update({each.incident_id: each for each in assign(piece, list(pieces.values()))[1]})
    assert pieces == whole


@pytest.mark.parametrize(
    ("metric", "dimension", "before", "after", "text"),
    [
        ("tool_error", "lookup", 0.021, 0.124, "error rate of tool lookup 2.1 % → 12.4 %"),
        ("tokens_per_call", "", 1200.0, 2034.4, "tokens per model call 1,200 → 2,034"),
        ("cost_usd_per_run", "", 0.01234, 0.05, "model cost per run $0.0123 → $0.0500"),
        ("duration_ms", "", 900.0, 2300.0, "run duration 900 ms → 2.3 s"),
        ("something_new", "", 1.0, None, "something new changed"),
    ],
)
def test_headlines_carry_units(metric: str, dimension: str, before: float, after: float | None, text: str) -> None:
    given_signal = {
        "metric": metric,
        "dimension": dimension,
        "before_value": before,
        "after_value": after,
        "effect": None,
    }
    assert headline(given_signal) == text


def test_a_rule_speaks_for_itself_and_a_spike_is_no_drift() -> None:
    values = {"dimension": "", "before_value": 0.02, "after_value": 1.5, "effect": None}
    rule = {**values, "metric": "unknown_tool", "kind": "rule"}
    assert (
        headline({**rule, "headline": "tool wire_money is not in the catalog"})
        == "tool wire_money is not in the catalog"
    )
    assert headline({**rule, "headline": None}) == "unknown tool"
    spike = {**values, "metric": "cost_usd_per_run", "kind": "spike"}
    assert headline(spike) == "spike of model cost per run: $1.50 (usually $0.0200)"


def led_by(*families: str, **more: float) -> str:
    signals = [
        signal(number, family=family, metric=f"{family} {number}", log_e=more.get(f"at_{number}", 20.0))
        for number, family in enumerate(families)
    ]
    return assign(signals, [])[1][0].headline


def test_the_headline_is_of_the_family_nearest_to_a_cause_and_says_what_moved_with_it() -> None:
    assert led_by("cost", "data", "tool") == "tool 2 changed; 2 other streams moved with it"
    assert led_by("cost", "policy") == "policy 1 changed; 1 other stream moved with it"
    assert led_by("cost") == "cost 0 changed"


def test_within_a_family_the_strongest_evidence_leads_and_a_rule_is_certain() -> None:
    assert led_by("tool", "tool", at_0=20.0, at_1=31.5).startswith("tool 1 changed")
    assert led_by("tool", "tool", at_0=31.5, at_1=20.0).startswith("tool 0 changed")
    rule = {**signal(2, metric="unknown_tool"), "kind": "rule", "log_e": None}
    assert assign([signal(0, log_e=99.0), rule], [])[1][0].headline.startswith("unknown_tool changed")


def test_a_lone_spike_never_names_an_incident_that_has_a_drift() -> None:
    spike = signal(1, family="policy", metric="denied", kind="spike", log_e=900.0)
    assert assign([signal(0, family="cost", metric="cost", log_e=17.0), spike], [])[1][0].headline.startswith(
        "cost changed"
    )


def test_an_incident_counts_streams_not_signals_and_shows_the_leader_s_runs_first() -> None:
    signals = [signal(0, family="cost", log_e=9.0), signal(1, family="cost", log_e=8.0), signal(2, log_e=17.0)]
    incident = assign(signals, [])[1][0]
    assert (incident.signals, incident.headline) == (3, "tool_error changed; 1 other stream moved with it")
    assert incident.run_ids == ("run-2", "run-0", "run-1")
    assert incident.family == "tool" and incident.families == ("cost", "tool")


def test_what_began_after_a_judgement_is_another_incident_and_what_began_before_is_the_same() -> None:
    first = replace(assign([signal(0)], [])[1][0], judged_at=T0 + timedelta(hours=2))
    same = assign([{**signal(5, metric="slow"), "onset_at": T0 + timedelta(hours=1)}], [first])[1][0]
    another = assign([signal(5, metric="fresh")], [first])[1][0]
    assert same.incident_id == first.incident_id and same.signals == 2
    assert another.incident_id != first.incident_id and another.signals == 1

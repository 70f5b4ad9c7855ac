"""Incidents: one per workflow and stretch of time, the same whatever the batches, with words from numbers alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.alerts.evidence import likely_cause
from pipelines.alerts.incidents import SAME_INCIDENT, Incident, assign
from pipelines.alerts.wording import containment, headline

T0 = datetime(2026, 9, 10)


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
        signal(hours, workflow=workflow, metric=f"m{number}") for number, (hours, workflow) in enumerate(sorted(parts))
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


def versions(*rows: tuple[str, str, float, float]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=["attribute", "value", "share_before", "share_after"], orient="row")


def test_the_likely_cause_is_the_version_that_separates_before_from_after_best() -> None:
    cause = likely_cause(
        versions(
            ("release", "1", 1.0, 0.05),
            ("release", "2", 0.0, 0.95),
            ("prompt_version", "7", 1.0, 0.4),
            ("prompt_version", "8", 0.0, 0.6),
        )
    )
    assert cause is not None
    assert (cause["attribute"], cause["before"], cause["after"]) == ("release", "1", "2")


def test_of_versions_that_moved_together_the_release_is_named() -> None:
    together = versions(
        ("agent_version", "1", 1.0, 0.0),
        ("agent_version", "2", 0.0, 1.0),
        ("release", "7", 1.0, 0.001),
        ("release", "8", 0.0, 0.999),
    )
    cause = likely_cause(together)
    assert cause is not None and (cause["attribute"], cause["after"]) == ("release", "8")


def test_no_version_is_blamed_where_none_moved() -> None:
    assert likely_cause(versions(("release", "1", 0.7, 0.6), ("release", "2", 0.3, 0.4))) is None
    assert likely_cause(versions()) is None


def test_containment_is_a_rollback_when_a_release_is_the_cause_and_the_tool_when_it_is_not() -> None:
    cause = {"attribute": "release", "before": "1", "after": "2", "shift": 0.9}
    failing = signal(0, dimension="lookup")
    assert containment(failing, cause) == "roll back to release 1"
    assert containment(failing, None).startswith("disable tool lookup")

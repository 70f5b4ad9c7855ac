"""The demo's verdict: what counts as found, missed and false."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from pipelines.commands.demo import verdicts

T0 = datetime(2026, 9, 10)
TRUTH: dict[str, Any] = {
    "drifts": [
        {"family": "tool", "workflow": "desk", "injected_at": "2026-09-10T00:00:00+00:00"},
        {"family": "cost", "workflow": "claims", "injected_at": "2026-09-10T00:00:00+00:00"},
    ]
}


def signals(*rows: tuple[str, str, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [(workflow, family, T0 + timedelta(hours=hours), "words") for workflow, family, hours in rows],
        schema={"workflow": pl.String, "family": pl.String, "at": pl.Datetime("us"), "headline": pl.String},
        orient="row",
    )


def opened(*rows: tuple[str, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [(workflow, T0 + timedelta(hours=hours)) for workflow, hours in rows],
        schema={"workflow": pl.String, "opened_at": pl.Datetime("us")},
        orient="row",
    )


def test_a_drift_is_found_by_the_first_signal_of_its_own_family_after_it_began() -> None:
    found, false = verdicts(
        TRUTH,
        signals(("desk", "tool", 5), ("desk", "tool", 2), ("claims", "data", 1)),
        opened(("desk", 2), ("claims", 1)),
    )
    assert [each.delay for each in found] == [timedelta(hours=2), None]
    assert false == 0


def test_an_incident_before_its_drift_or_on_a_sound_workflow_is_false() -> None:
    found, false = verdicts(
        TRUTH, signals(("desk", "tool", -3), ("other", "cost", 4)), opened(("desk", -3), ("other", 4), ("claims", 1))
    )
    assert [each.delay for each in found] == [None, None]
    assert false == 2


def test_without_drifts_every_incident_is_false() -> None:
    assert verdicts({"drifts": []}, signals(), opened(("desk", 1))) == ([], 1)

"""The demo's verdict: what counts as found, missed and false."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.cli import main
from pipelines.commands.demo import verdicts

T0 = datetime(2026, 9, 10)
TRUTH: dict[str, Any] = {
    "drifts": [
        {
            "name": "tool_misuse",
            "family": "tool",
            "expected_metrics": ["tool_error", "tool_mix"],
            "workflow": "desk",
            "injected_at": "2026-09-10T00:00:00+00:00",
        },
        {
            "name": "economic",
            "family": "cost",
            "expected_metrics": ["cost_usd_per_run"],
            "workflow": "claims",
            "injected_at": "2026-09-10T00:00:00+00:00",
        },
    ]
}
METRIC = {"tool": "tool_error", "cost": "cost_usd_per_run", "data": "retrieval_source"}


def signals(*rows: tuple[str, str, float], metric: str = "", dimension: str = "") -> pl.DataFrame:
    return pl.DataFrame(
        [
            (workflow, family, metric or METRIC[family], dimension, T0 + timedelta(hours=hours), "words")
            for workflow, family, hours in rows
        ],
        schema={
            **dict.fromkeys(("workflow", "family", "metric", "dimension"), pl.String),
            "at": pl.Datetime("us"),
            "headline": pl.String,
        },
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


def test_a_signal_on_a_metric_that_the_drift_does_not_move_does_not_find_it() -> None:
    found, _ = verdicts(TRUTH, signals(("claims", "cost", 2), metric="cached_ratio"), opened())
    assert [each.delay for each in found] == [None, None]


def test_a_verdict_names_the_drift_and_the_stream_that_found_it() -> None:
    found, _ = verdicts(TRUTH, signals(("desk", "tool", 2), dimension="lookup_order"), opened())
    assert [(each.name, each.stream) for each in found] == [
        ("tool_misuse", "tool_error lookup_order"),
        ("economic", ""),
    ]


def test_a_wrong_name_is_told_before_the_home_is_touched(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--home", str(tmp_path / "home"), "demo", "--no-serve", "--drift", "weather"]) != 0
    assert "no such drift 'weather'" in capfd.readouterr().err
    assert not (tmp_path / "home").exists()

"""River's ADWIN speaks in the evidence and has no vote."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from detectors import Monitor, MonitorSettings
from detectors.second_opinion import adwin_verdict
from tests.detectors.conftest import Frame


def test_it_is_said_in_the_detail_and_changes_no_alarm(
    small_fleet: pl.DataFrame, frame: Frame, rng: np.random.Generator
) -> None:
    slight = rng.normal(size=(8, 1000)) + np.where(np.arange(1000) >= 600, 0.5, 0.0)
    more = [frame(values, workflow=f"slight{number}") for number, values in enumerate(slight)]
    observations = pl.concat([small_fleet, *more])
    plain = Monitor().update(observations)
    advised = Monitor(MonitorSettings(second_opinion=True)).update(observations)
    assert advised.height >= 10
    assert advised.drop("detail").equals(plain.drop("detail"))
    verdicts = [json.loads(detail)["second_opinion"] for detail in advised["detail"]]
    assert all(verdict["detector"] == "ADWIN" and verdict["scores"] > 0 for verdict in verdicts)
    assert any(verdict["agrees"] for verdict in verdicts)


def test_it_sees_a_shift_and_is_silent_without_one(rng: np.random.Generator) -> None:
    quiet = rng.normal(size=400)
    assert not adwin_verdict(quiet)["agrees"]
    verdict = adwin_verdict(np.r_[quiet, rng.normal(2.0, 1.0, 100)])
    assert verdict["agrees"]
    assert verdict["last_detection_scores_ago"] < 100
    assert adwin_verdict(np.zeros(0)) == {
        "detector": "ADWIN", "agrees": False, "scores": 0, "last_detection_scores_ago": None, "window": 0,
    }  # fmt: skip

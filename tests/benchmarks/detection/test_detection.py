"""The machinery of the detection benchmark at tiny sizes. Nothing here looks at a time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.detection import cases, measure, oracle, ours, peers, report
from tests.benchmarks.detection.__main__ import QUICK, measured


def test_run_length_counts_the_time_of_streams_without_an_alarm() -> None:
    alarms = measure.Alarms(np.array([99, -1, -1]), np.full(3, np.nan), 1_000)
    found = measure.run_length(alarms)
    assert found["arl"] == found["observations"] == 2_100
    assert found["low"] < 2_100 < found["high"]
    assert measure.run_length(measure.Alarms(np.array([-1]), np.array([np.nan]), 10))["high"] is None


def test_a_quantile_among_missed_streams_is_unknown_and_early_alarms_are_left_out() -> None:
    alarms = measure.Alarms(np.array([5, 109, 119, -1]), np.array([5.0, 98.0, 104.0, np.nan]), 200)
    found = measure.delays(alarms, 100)
    assert (found["early"], found["median"], found["p90"]) == (1, 20.0, None)
    assert found["miss_rate"] == pytest.approx(1 / 3)
    assert found["onset_error_median"] == 3.0


def test_the_oracle_keeps_its_run_length_on_new_numbers() -> None:
    case = next(case for case in cases.changes() if case.name == "normal +1.0 σ")
    limit = oracle.threshold(case, np.random.default_rng(1), 1_000, 1_000_000)
    values = case.before(np.random.default_rng(2), 400, 5_000)
    assert measure.run_length(oracle.run(case, values, limit))["arl"] == pytest.approx(1_000, rel=0.25)


def test_ours_finds_a_change_and_dates_it_in_observations() -> None:
    case = next(case for case in cases.changes() if case.name == "normal +2.0 σ")
    values = case.draw(np.random.default_rng(3), 20, 800, 500)
    found = measure.delays(ours.run(case, values, 1e5), 500)
    assert found["miss_rate"] == 0
    assert 1 <= found["median"] <= 20
    assert found["onset_error_median"] <= 5


def test_tuning_says_none_where_even_the_strictest_setting_alarms_too_often() -> None:
    jumps = np.tile(np.repeat((0.0, 50.0), 200), (3, 5))
    assert peers.tuned("ADWIN", jumps, 1e5, 1) is None


@pytest.mark.slow
def test_a_tiny_run_fills_every_table_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = measured(QUICK)
    page = tmp_path / "detection.md"
    marks = list(report.tables(results))
    page.write_text("before\n" + "".join(f"<!-- {mark} -->\nold\n<!-- end -->\n" for mark in marks) + "after\n")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "detection.json")
    report.record(results)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert all(case.name in text for case in [*cases.nulls(), *cases.changes()])
    assert json.loads((tmp_path / "detection.json").read_text())["options"]["seed"] == QUICK["seed"]

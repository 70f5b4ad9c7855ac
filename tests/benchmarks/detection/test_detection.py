"""The machinery of the detection benchmark at tiny sizes. Nothing here looks at a time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.benchmarks.detection import batch, cases, equal, floors, measure, oracle, ours, peers, report
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


def test_a_season_spans_weeks_and_its_change_lies_on_top_of_it() -> None:
    null = next(case for case in cases.nulls() if case.seasonal)
    change = next(case for case in cases.changes() if case.name == "season +1.0 σ")
    options = QUICK | {"streams": 200, "repetitions": 200, "season_weeks": 6}
    assert cases.without_change(null, options).shape == (200, 6 * cases.WEEK)
    weeks = np.log(cases.with_change(change, options)).mean(axis=0).reshape(4, cases.WEEK)
    np.testing.assert_allclose(weeks[1], weeks[0], atol=0.25)
    np.testing.assert_allclose(weeks[2:] - weeks[:2], 0.5, atol=0.25)
    assert np.ptp(weeks[0]) > 1.2


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


def test_a_threshold_laid_on_scores_alarms_at_the_end_of_the_look_that_crosses_it() -> None:
    job = batch.Job("continuous", batch.Windows(100, 50, 20), np.zeros((3, 250)), stop=False)
    scores = np.array([[0.5, 0.3, 0.01, 0.5, 0.5, 0.5], [0.06, np.nan, np.nan, np.nan, np.nan, np.nan], [1.0] * 6])
    by_chance = batch.Scores("ks", True, 0.05, scores, job)
    apart = batch.Scores("wasserstein", False, 0.4, scores, job)
    assert by_chance.alarms(0.05).first.tolist() == [189, -1, -1]
    assert by_chance.alarms(0.1).first.tolist() == [189, 149, -1]
    assert apart.alarms(0.4).first.tolist() == [149, -1, 149]
    assert by_chance.run_length(0.05)["observations"] == (190 - 130) + 2 * (250 - 130)
    assert (by_chance.stricter(0.01), by_chance.stricter(0.1), by_chance.stricter(None)) == (0.01, None, None)
    assert (apart.stricter(0.5), apart.stricter(0.3)) == (0.5, None)


def test_a_threshold_is_tuned_to_the_run_length_and_not_beyond() -> None:
    job = batch.Job("continuous", batch.Windows(100, 50, 20), np.zeros((40, 10_130)), stop=False)
    scores = np.random.default_rng(4).random((40, 500))
    knob = batch.Scores("ks", True, 0.05, scores, job).tuned(2_000)
    assert knob is not None
    assert knob == pytest.approx(20 / 2_000, rel=0.4)
    assert batch.Scores("wasserstein", False, 0.1, scores, job).tuned(2_000) == pytest.approx(1 - knob, abs=0.02)
    assert batch.Scores("ks", True, 0.05, scores * 0, job).tuned(2_000) is None


def test_a_floor_grows_by_one_an_observation_without_change_whatever_the_mean_that_it_must_learn() -> None:
    rng = np.random.default_rng(6)
    family = floors.of_numbers(np.array([0.5, -0.5]), np.ones(2))
    values = rng.normal(size=(600, 4_000)) + rng.uniform(-0.03, 0.03, size=(600, 1))
    first, sums = family.run(values, 500, 200.0)
    assert (first >= 500).all()
    assert np.mean(first + 1 - 500) == pytest.approx(np.mean(sums), rel=0.1)


def test_ours_is_near_the_floor_that_is_told_no_more() -> None:
    case = next(case for case in cases.changes() if case.name == "normal +0.5 σ")
    options = QUICK | {
        "change_at": 1_000,
        "floor_null_streams": 300,
        "repetitions": 200,
        "oracle_observations": 3_000_000,
    }
    found = floors._row(case, options)["delays"]
    known, told, untold, mine = (found[name]["median"] for name in ("oracle", "told", "untold", "ours"))
    assert known <= told < untold
    assert 0.95 * untold < mine < 1.2 * untold


def test_every_arrangement_of_a_mix_is_weighed_once() -> None:
    found = {case.name: floors.families(case)["told"].moves for case in cases.changes() if case.kind == "mix"}
    assert {moves.shape for moves in found.values()} == {(252, 10), (90, 10), (10, 10)}
    assert all(len(np.unique(moves, axis=0)) == len(moves) for moves in found.values())
    np.testing.assert_allclose([moves.mean(axis=1).max() for moves in found.values()], 1.0)


def test_equal_run_lengths_are_tuned_on_what_a_case_was_before_its_change() -> None:
    nulls = {case.name: case for case in cases.nulls()}
    told = {case.name: equal.law_of(case) for case in cases.changes()}
    assert [name for name, law in told.items() if law is None] == [
        case.name for case in cases.changes() if case.seasonal
    ]
    for case in cases.changes():
        if law := told[case.name]:
            mine, theirs = (each.before(np.random.default_rng(8), 2, 50) for each in (case, nulls[law]))
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.slow
def test_evidently_chooses_its_test_by_the_reference_and_is_asked_for_no_look_after_an_alarm() -> None:
    if not batch.ready():
        pytest.skip("no .venv-evidently: `make .venv-evidently/.ready` makes it")
    rng = np.random.default_rng(5)
    values = {
        "continuous": np.tile(rng.permutation(np.arange(50.0)), (2, 26)),  # every window is alike
        "rate": (rng.random((2, 1_300)) < 0.3).astype(float),
        "mix": rng.integers(0, 10, (2, 1_300)).astype(float),
    }
    values["continuous"][0, 1_150:] += 50
    small, large = batch.Windows(1_000, 100, 50), batch.Windows(1_001, 100, 50)
    jobs = [batch.Job(kind, windows, values[kind], stop=False) for kind in values for windows in (small, large)]
    ended = batch.Job("continuous", small, values["continuous"], stop=True)
    found, answer = batch.looked([*jobs, ended], 1)
    tests = ["ks", "wasserstein", "z", "jensenshannon", "chisquare", "jensenshannon", "ks"]
    assert [each.test for each in found] == tests
    assert [each.default for each in found] == [0.05, 0.1, 0.05, 0.1, 0.05, 0.1, 0.05]
    assert [each.p_value for each in found] == [True, False, True, False, True, False, True]
    assert answer["version"]

    whole, cut = found[0], found[-1]
    stream = values["continuous"][0]
    for look, score in enumerate(whole.scores[0]):
        begin = 1_000 + 50 * look
        assert score == pytest.approx(stats.ks_2samp(stream[:1_000], stream[begin : begin + 100])[1])
    first = whole.alarms(whole.default).first
    assert cut.alarms(cut.default).first.tolist() == first.tolist()
    assert first.tolist() == [1_199, -1]
    assert np.isnan(cut.scores[0, -1]) and not np.isnan(whole.scores).any()


def test_the_page_says_when_evidently_was_not_measured() -> None:
    results = json.loads(report.RESULTS.read_text(encoding="utf-8"))
    without = report.tables(results | {"evidently": None})
    assert "Evidently was not measured" in without["run"]
    assert "Evidently ks" not in "".join(without.values())


@pytest.mark.slow
def test_a_tiny_run_fills_every_table_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = measured(QUICK)
    page = tmp_path / "detection.md"
    marks = list(report.tables(results))
    page.write_text("before\n" + "".join(f"<!-- {mark} -->\nstale\n<!-- end -->\n" for mark in marks) + "after\n")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "detection.json")
    report.record(results)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "stale" not in text
    assert all(case.name in text for case in [*cases.nulls(), *cases.changes()])
    assert "Evidently ks" in text if batch.ready() else "Evidently was not measured" in text
    assert json.loads((tmp_path / "detection.json").read_text())["options"]["seed"] == QUICK["seed"]

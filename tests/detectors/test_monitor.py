"""The facade: what a stream goes through, what a signal says, and what bad input does (nothing)."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from detectors import SIGNAL_SCHEMA, STREAM_SCHEMA, Monitor, MonitorSettings, ObservationError, SettingsError
from detectors.monitor import run_numbers
from tests.detectors.conftest import Frame

STEP = np.r_[np.full(300, 1.0), np.full(100, 4.0)]


def state_of(monitor: Monitor) -> str:
    return str(monitor.streams()["state"].item())


def test_a_stream_needs_data_then_warms_up_then_is_watched(frame: Frame, rng: np.random.Generator) -> None:
    observations = frame(np.exp(rng.normal(size=350)))
    monitor = Monitor()
    seen: list[str] = []
    for size in (3, 26, 1, 258, 1, 50):  # 200 observations, and a day
        monitor.update(observations[:size])
        observations = observations[size:]
        seen.append(state_of(monitor))
    assert seen == ["needs_data", "needs_data", "warming_up", "warming_up", "watching", "watching"]


def test_each_kind_of_drift_gives_one_signal_that_explains_itself(small_fleet: pl.DataFrame) -> None:
    signals = Monitor().update(small_fleet)
    assert dict(signals.schema) == SIGNAL_SCHEMA
    assert sorted(signals["metric"]) == ["cost_usd_per_run", "denied", "retrieval_source", "steps_per_run"]
    assert signals["at"].is_sorted()
    change = small_fleet["at"].min() + (small_fleet["at"].max() - small_fleet["at"].min()) * 350 / 499  # type: ignore[operator]
    for signal in signals.iter_rows(named=True):
        assert signal["log_e"] >= signal["threshold"] > 0
        assert signal["onset_at"] <= signal["at"]
        assert signal["n_before"] >= 200
        assert signal["n_after"] > 0
        assert json.loads(signal["detail"])
        assert signal["workflow"] in signal["headline"]
    off = sorted(abs((onset - change).total_seconds()) / 300 for onset in signals["onset_at"])
    assert off[2] <= 10, "runs between change and estimated onset, three of four streams"
    assert off[3] <= 100
    by = {signal["metric"]: signal for signal in signals.iter_rows(named=True)}
    assert by["cost_usd_per_run"]["unit"] == "usd"
    assert by["steps_per_run"]["before_value"] == pytest.approx(4, abs=0.5)
    assert by["steps_per_run"]["after_value"] == pytest.approx(9, abs=1.5)
    steps = by["steps_per_run"]
    assert steps["effect"] == pytest.approx(steps["after_value"] - steps["before_value"])
    assert by["denied"]["unit"] == "ratio"
    assert by["denied"]["before_value"] < 0.05 < 0.1 < by["denied"]["after_value"]
    detail = json.loads(by["retrieval_source"]["detail"])
    assert by["retrieval_source"]["unit"] == "total_variation"
    assert by["retrieval_source"]["effect"] == pytest.approx(0.5, abs=0.15)
    assert detail["new_categories"] == ["x"]
    assert {share["category"] for share in detail["shares"]} >= {"a", "b", "c", "d", "new"}


def test_an_alarmed_stream_stays_so_and_keeps_its_reference(frame: Frame) -> None:
    monitor = Monitor()
    assert monitor.update(frame(STEP)).height == 1
    before = monitor.streams()
    later = frame(np.full(500, 9.0), start=datetime(2026, 1, 10, tzinfo=UTC).replace(tzinfo=None))
    assert monitor.update(later).height == 0
    after = monitor.streams()
    assert after["state"].item() == "alarmed"
    assert after["reference_value"].item() == before["reference_value"].item()
    assert after["observations"].item() == before["observations"].item() + 500
    assert after["current_value"].item() == pytest.approx(9.0, rel=1e-3)


@pytest.mark.parametrize("kind", ["continuous", "rate", "mix"])
def test_rearmed_with_a_new_reference_the_new_level_is_normal_and_the_old_one_a_drift(frame: Frame, kind: str) -> None:
    low, high = (0.0, 1.0)
    monitor = Monitor()
    assert monitor.update(frame([low] * 300 + [high] * 60, kind)).height == 1
    assert monitor.rearm(workflow="nobody", relearn=True) == 0
    assert monitor.rearm(workflow="support", relearn=True) == 1
    assert state_of(monitor) == "needs_data"
    assert (
        monitor.update(frame([high] * 400, kind, start=datetime(2026, 1, 12, tzinfo=UTC).replace(tzinfo=None))).height
        == 0
    )
    assert state_of(monitor) == "watching"
    back = monitor.update(frame([low] * 60, kind, start=datetime(2026, 1, 20, tzinfo=UTC).replace(tzinfo=None)))
    assert back.height == 1
    assert back["before_value"].item() is not None


@pytest.mark.parametrize("kind", ["continuous", "rate", "mix"])
def test_rearmed_with_the_old_reference_the_old_level_is_quiet(frame: Frame, kind: str) -> None:
    monitor = Monitor()
    assert monitor.update(frame([0.0] * 300 + [1.0] * 60, kind)).height == 1
    assert monitor.rearm(relearn=False) == 1
    assert (
        monitor.update(frame([0.0] * 600, kind, start=datetime(2026, 1, 12, tzinfo=UTC).replace(tzinfo=None))).height
        == 0
    )
    assert state_of(monitor) == "watching"
    assert (
        monitor.update(frame([1.0] * 200, kind, start=datetime(2026, 1, 20, tzinfo=UTC).replace(tzinfo=None))).height
        == 1
    )


def test_values_that_are_none_are_ignored_counted_and_change_nothing(frame: Frame, rng: np.random.Generator) -> None:
    clean = frame(np.exp(rng.normal(size=600)))
    bad = frame([float("nan"), float("inf"), float("-inf"), None] * 50)
    untimed = clean[:7].with_columns(pl.lit(None, pl.Datetime("us")).alias("at"))
    one, two = Monitor(), Monitor()
    assert one.update(clean).height == 0
    assert two.update(pl.concat([clean[:300], bad, untimed, clean[300:]])).height == 0
    assert two.streams()["ignored"].item() == 207
    assert one.streams().drop("ignored").equals(two.streams().drop("ignored"))


def test_a_stream_of_nothing_but_bad_values_needs_data(frame: Frame) -> None:
    monitor = Monitor()
    frames = [
        frame([float("nan")] * 500),
        frame([0.5, 2.0, -1.0, float("nan")] * 100, "rate", metric="denied"),
        frame([None] * 300, "mix", metric="path"),
    ]
    assert monitor.update(pl.concat(frames)).height == 0
    streams = monitor.streams()
    assert set(streams["state"]) == {"needs_data"}
    assert set(streams["ignored"]) == {500, 400, 300}
    assert streams["reference_value"].null_count() == 3


@pytest.mark.parametrize(
    "values",
    [
        pytest.param([3.0] * 5000, id="constant"),
        pytest.param([0.0] * 5000, id="zero"),
        pytest.param([-1e300, 1e300] * 1500, id="huge"),
        pytest.param([5e-324, -5e-324] * 1500, id="tiny"),
        pytest.param([1.0, 2.0] * 1500, id="alternating"),
        pytest.param([-5.0, -3.0, -8.0] * 1000, id="negative"),
    ],
)
def test_odd_but_unchanging_values_raise_nothing(frame: Frame, values: list[float]) -> None:
    monitor = Monitor()
    assert monitor.update(frame(values)).height == 0
    assert state_of(monitor) == "watching"


def test_a_constant_that_becomes_another_is_explained(frame: Frame) -> None:
    signal = Monitor().update(frame([2.0] * 400 + [3.0] * 40)).row(0, named=True)
    assert (signal["before_value"], signal["after_value"], signal["effect"]) == (2.0, 3.0, 1.0)
    assert signal["n_before"] == 400
    assert "rose from 2 usd to 3 usd (+50 %)" in signal["headline"]


def test_one_odd_value_in_a_constant_stream_is_no_drift(frame: Frame) -> None:
    assert Monitor().update(frame([2.0] * 400 + [1e9] + [2.0] * 400)).height == 0


def test_jumps_of_the_clock_raise_nothing(frame: Frame, rng: np.random.Generator) -> None:
    observations = frame(np.exp(rng.normal(size=3000)))
    jumps = rng.choice([0, 0, 0, 0, -56 * 365, 74 * 365, 3], size=3000)
    jumped = observations.with_columns(pl.Series(jumps).alias("jump")).with_columns(
        pl.col("at") + pl.duration(days="jump")
    )
    monitor = Monitor()
    assert monitor.update(jumped).height == 0
    assert monitor.streams()["threshold"].item() >= math.log(7 * 280 * 52)


def test_a_workflow_of_three_runs_needs_data(frame: Frame) -> None:
    monitor = Monitor()
    monitor.update(frame([1.0, 100.0, 10_000.0]))
    monitor.update(frame([1.0, 1.0, 1.0], "rate", metric="denied"))
    assert set(monitor.streams()["state"]) == {"needs_data"}


def test_an_empty_frame_gives_an_empty_answer(frame: Frame) -> None:
    monitor = Monitor()
    assert dict(monitor.update(frame([])).schema) == SIGNAL_SCHEMA
    assert dict(monitor.streams().schema) == STREAM_SCHEMA
    assert monitor.streams().height == 0


def test_hostile_names_stay_text(frame: Frame) -> None:
    hostile = "x\x1b[2J\n" + "y" * 5000
    names = ["a"] * 300 + [hostile] * 40
    signal = Monitor().update(frame(names, "mix", metric="path", workflow="w\r\n\x00" * 50)).row(0, named=True)
    assert signal["headline"].isprintable()
    assert len(signal["headline"]) < 300
    assert len(signal["detail"]) < 1000
    assert len(json.loads(signal["detail"])["new_categories"][0]) == 200


def test_a_missing_column_or_an_unknown_kind_is_said(frame: Frame) -> None:
    with pytest.raises(ObservationError, match="run_id"):
        Monitor().update(frame([1.0]).drop("run_id"))
    with pytest.raises(ObservationError, match="'histogram'"):
        Monitor().update(frame([1.0], "histogram"))
    with pytest.raises(ObservationError, match="another type"):
        Monitor().update(frame([1.0]).with_columns(pl.lit("soon").alias("at")))


def test_settings_out_of_range_are_refused() -> None:
    for wrong in (
        {"alarm_budget_per_week": 0.0},
        {"alarm_budget_per_week": float("nan")},
        {"warm_up_mix": 5},
        {"minimum_data": 0},
    ):
        with pytest.raises(SettingsError):
            MonitorSettings(**wrong)  # type: ignore[arg-type]


def test_a_fleet_without_drift_is_quiet_for_three_weeks() -> None:
    """Six workflows of five streams, 6,000 runs each: nothing at the default budget of one false alarm a year."""
    rng = np.random.default_rng(8)
    runs = 6000
    shares = [0.5, 0.2, 0.1, 0.1, 0.05, 0.03, 0.015, 0.005]
    at = pl.Series(np.sort(rng.integers(0, 21 * 86_400_000_000, runs)) + 1_767_571_200_000_000).cast(pl.Datetime("us"))
    parts: list[pl.DataFrame] = []
    for number in range(6):
        base = pl.DataFrame({"at": at}).with_columns(
            pl.lit(f"w{number}").alias("workflow"), pl.lit("any").alias("family"), pl.lit("").alias("dimension"),
            (pl.lit(f"w{number}-") + pl.int_range(runs).cast(pl.String)).alias("run_id"),
        )  # fmt: skip
        values: list[tuple[str, str, np.ndarray]] = [
            ("cost_usd_per_run", "continuous", np.exp(rng.normal(size=runs))),
            ("steps_per_run", "continuous", rng.geometric(0.2, runs)),
            ("denied", "rate", rng.random(runs) < 0.03),
            ("tool_error", "rate", rng.random(runs) < 0.005),
            ("retrieval_source", "mix", rng.choice(list("abcdefgh"), runs, p=shares)),
        ]
        for metric, kind, value in values:
            parts.append(
                base.with_columns(
                    pl.lit(metric).alias("metric"),
                    pl.lit(kind).alias("kind"),
                    pl.Series("value", [None] * runs if kind == "mix" else value, dtype=pl.Float64),
                    pl.Series("category", value if kind == "mix" else [None] * runs, dtype=pl.String),
                )
            )
    columns = ["at", "workflow", "family", "metric", "dimension", "kind", "value", "category", "run_id"]
    observations = pl.concat([part.select(columns) for part in parts]).sort("at", maintain_order=True)
    monitor = Monitor()
    assert observations.height == 180_000
    assert monitor.update(observations).height == 0
    assert set(monitor.streams()["state"]) == {"watching"}


def test_a_run_has_the_same_number_wherever_its_observations_stand() -> None:
    expected = {None: 0, "a": 0x2F42665B399EF840, "b": 0x754F854DE3C27284}
    for order in ([None, "a", "a", None, "b", "a"], ["a", "b", "a", "b", None], ["b"], [], [None, None]):
        found = run_numbers(pl.Series(order, dtype=pl.String))
        assert found.dtype == pl.UInt64
        assert found.to_list() == [expected[name] for name in order]

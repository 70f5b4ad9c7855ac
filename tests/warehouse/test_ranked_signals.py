"""Signals are ranked by e-BH: what the view says in closed form is what the procedure does over all streams."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from warehouse import Warehouse, marts

MONDAY = datetime(2026, 3, 2)
BUDGET = 0.5
FLEET = 40_000.0


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[Warehouse]:
    with Warehouse.open(tmp_path / "warehouse") as it:
        marts.put_live_views(it)
        yield it


def stored(warehouse: Warehouse, signals: list[dict[str, object]], budget: float | None = BUDGET) -> pl.DataFrame:
    columns = {
        "signal_id": pl.String,
        "kind": pl.String,
        "at": pl.Datetime,
        "log_e": pl.Float64,
        "threshold": pl.Float64,
    }
    warehouse.transaction(
        lambda connection: warehouse.insert(connection, "signals", pl.DataFrame(signals, schema=columns))
    )
    noted = pl.DataFrame({"run_timeout_seconds": [3600.0], "alarm_budget_per_week": [budget]})
    warehouse.transaction(lambda connection: warehouse.insert(connection, "stream_settings", noted))
    return warehouse.query("SELECT * FROM ranked_signals ORDER BY week, rank")


def signal(name: str, log_e: float | None, *, kind: str = "rate", at: datetime = MONDAY) -> dict[str, object]:
    share = 0.1 if kind == "spike" else 0.9
    threshold = None if log_e is None else math.log(FLEET / (BUDGET * share))
    return {"signal_id": name, "kind": kind, "at": at, "log_e": log_e, "threshold": threshold}


def e_bh(e_values: np.ndarray, weights: np.ndarray, level: float) -> set[int]:
    """The procedure as published: the k greatest weighted e-values, for the greatest k whose least is K/(level·k) or more."""
    weighted = e_values * weights
    order = np.argsort(-weighted, kind="stable")
    kept = [k for k in range(1, len(order) + 1) if weighted[order[k - 1]] >= len(order) / (level * k)]
    return set(order[: max(kept, default=0)].tolist())


def test_the_ratio_is_the_least_level_at_which_e_bh_over_all_streams_keeps_the_signal(warehouse: Warehouse) -> None:
    rng = np.random.default_rng(5)
    streams, alarmed = 300, 12
    lengths = rng.dirichlet(np.ones(streams)) * FLEET  # observations of each stream in the week
    statistic = np.zeros(streams)  # of those that did not alarm: the least there can be
    statistic[:alarmed] = np.exp(rng.uniform(0, 4, alarmed)) * FLEET / (0.9 * BUDGET)
    told = stored(warehouse, [signal(str(n), math.log(statistic[n])) for n in range(alarmed)])
    ratios = dict(zip(told["signal_id"], told["false_ratio"], strict=True))
    e_values, weights = statistic / lengths, lengths / FLEET * streams
    for name, ratio in ratios.items():
        assert int(name) in e_bh(e_values, weights, ratio * 1.000001)
        assert int(name) not in e_bh(e_values, weights, ratio * 0.999999)


def test_a_signal_at_its_threshold_is_as_uncertain_as_the_budget_says(warehouse: Warehouse) -> None:
    told = stored(
        warehouse,
        [
            signal("drift", math.log(FLEET / (0.9 * BUDGET))),
            signal("spike", math.log(FLEET / (0.1 * BUDGET)), kind="spike", at=MONDAY + timedelta(days=7)),
        ],
    )
    assert told["false_alarms_expected"].to_list() == pytest.approx([0.9 * BUDGET, 0.1 * BUDGET])
    assert told["false_ratio"].to_list() == pytest.approx([0.9 * BUDGET, 0.1 * BUDGET])


def test_more_signals_in_a_week_make_each_more_certain_and_rules_are_certain(warehouse: Warehouse) -> None:
    least = math.log(FLEET / (0.9 * BUDGET))
    told = stored(
        warehouse,
        [
            signal("weak", least),
            signal("strong", least + 2),
            signal("rule", None, kind="rule"),
            signal("week after", least, at=MONDAY + timedelta(days=7)),
        ],
    )
    assert told["signal_id"].to_list() == ["rule", "strong", "weak", "week after"]
    assert told["rank"].to_list() == [1, 2, 3, 1]
    expected = [0, 0.45 * math.exp(-2) / 2, 0.45 / 3, 0.45]
    assert told["false_ratio"].to_list() == pytest.approx(expected)


def test_without_a_noted_budget_the_ratio_is_unknown_but_a_rule_is_certain(warehouse: Warehouse) -> None:
    told = stored(warehouse, [signal("drift", 20.0), signal("rule", None, kind="rule")], budget=None)
    assert told["signal_id"].to_list() == ["rule", "drift"]
    assert told["false_ratio"].to_list() == [0.0, None]

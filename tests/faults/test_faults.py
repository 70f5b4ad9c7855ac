"""A few seeds of every fault: nothing lost, nothing doubled, the same alarms. `make faults` tries them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.broker import Broker
from tests.faults.ground import Ground
from tests.faults.scenarios import SCENARIOS, broker_killed

pytestmark = pytest.mark.kafka

SEEDS = [
    ("killed between two steps", 3),
    ("killed between two steps", 10),
    ("killed at any moment", 1),
    ("killed mid-commit", 1),
    ("killed while delivering", 1),
    ("killed while delivering", 2),
    ("rebalance of two workers", 1),
    ("locked catalog", 1),
    ("full disk", 1),
    ("catalog of yesterday", 1),
    ("file cut short", 1),
]


@pytest.mark.slow
@pytest.mark.parametrize(("scenario", "seed"), SEEDS)
def test_nothing_is_lost_or_doubled_and_the_alarms_are_the_same(ground: Ground, scenario: str, seed: int) -> None:
    result = SCENARIOS[scenario](ground, seed)
    assert result.kills > 0, "a fault that did not happen shows nothing"
    assert result.clean, result


@pytest.mark.slow
def test_a_broker_that_dies_under_load_costs_nothing_either(kafka: object, tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker-home")  # its own: other tests need the session's alive
    try:
        ground = Ground(broker.start(port=0), tmp_path / "ground", "faults")
        result = broker_killed(ground, 1, broker)
    finally:
        broker.stop()
    assert result.clean, result

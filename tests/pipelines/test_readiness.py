"""Table ``detector_streams``: it says what the detectors' checkpoint does, however the log was cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from detectors import READINESS_SCHEMA, Monitor
from pipelines import checkpoint
from pipelines.commands.flow import run_stream
from pipelines.monitoring import monitor_settings
from pipelines.readiness import Readiness
from pipelines.settings import Settings
from pipelines.simulate import simulate
from warehouse import Warehouse

STORED = f"SELECT {', '.join(READINESS_SCHEMA)} FROM detector_streams ORDER BY workflow, family, metric"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    directory = tmp_path_factory.mktemp("traffic")
    truth = simulate(directory, seed=3, days=1.0, workflows=2, rate=6.0, drifts=())
    return [str(directory / name) for name in truth.files]


def streamed(home: Path, files: list[str], **values: Any) -> Settings:
    settings = Settings(home=home, **values)
    run_stream(settings, "files", files, until_end=True)
    return settings


def stored(settings: Settings) -> pl.DataFrame:
    with Warehouse.open(settings.warehouse, read_only=True) as warehouse:
        return warehouse.query(STORED)


def test_it_says_what_the_checkpoint_does_however_often_it_is_written(tmp_path: Path, files: list[str]) -> None:
    rarely = streamed(tmp_path / "rarely", files)
    often = streamed(tmp_path / "often", files, batch_spans=400, checkpoint_seconds=0.0)
    saved = checkpoint.load(often.checkpoints)
    assert saved is not None
    told = Monitor.decode(saved.monitor, monitor_settings(often)).readiness()
    assert stored(often).equals(told) and stored(rarely).equals(told)
    assert told["warming_up"].sum() > 0 and told["needs_data"].sum() > 0


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    row = {"workflow": "refunds", "family": "tool", "metric": "tool_mix"}
    counts = {"needs_data": 1, "warming_up": 0, "watching": 0, "alarmed": 0, "retired": 0}

    def frame(*rows: dict[str, object]) -> pl.DataFrame:
        return pl.DataFrame([*rows], schema=READINESS_SCHEMA)

    first, other = {**row, **counts}, {**row, **counts, "metric": "path"}
    with Warehouse.open(tmp_path / "warehouse") as empty:
        readiness = Readiness(empty)
        assert readiness.note(frame(first, other)) == 2
        before = empty.snapshot()
        assert readiness.note(frame(first, other)) == 0 and empty.snapshot() == before
        assert Readiness(empty).note(frame(first, other)) == 0, "the next worker reads what the last one wrote"
        moved = {**first, "needs_data": 0, "warming_up": 1}
        assert readiness.note(frame(moved)) == 2, "one has moved, the other is no more"
        assert empty.query(STORED).rows() == [tuple(moved.values())]

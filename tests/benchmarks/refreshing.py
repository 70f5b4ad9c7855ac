"""How long a refresh takes: over everything, with nothing new, after few changes, and of a day beside a running stream."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines.defs.home import dagster_home
from pipelines.defs.refresh import RefreshResult, refresh
from pipelines.simulate import simulate
from tests.benchmarks.traffic import traffic
from tests.benchmarks.worker import Worker
from warehouse import Limits, Warehouse, marts

_COPY = (Path(__file__).parent / "copy_week.sql").read_text(encoding="utf-8").split(";\n")
_FEW = (Path(__file__).parent / "copy_runs.sql").read_text(encoding="utf-8")
_COUNT = "SELECT count(*) FROM spans"
_WEEK_DAYS = 7
#: Copies made by one transaction: more would need more memory, fewer more time.
_AT_ONCE = 8
_FEW_RUNS = 100
#: Enough to keep the worker busy for as long as a day's marts take.
_BESIDE_SPANS = 600_000


def refreshing(scratch: Path, spans: int, *, seed: int) -> list[dict[str, Any]]:
    """Figures per refresh of a warehouse of so many spans: copies of one simulated week on the weeks before it."""
    home = scratch / "refreshed"
    truth = simulate(scratch / "week", seed=seed, days=_WEEK_DAYS, drifts=())
    _stream(home, [scratch / "week" / name for name in truth.files]).wait()
    with Warehouse.open(home / "warehouse", limits=Limits(threads=2)) as lake:
        copies = max(1, round(spans / lake.query(_COUNT).item()) - 1)
        for first in range(1, copies + 1, _AT_ONCE):
            _copy(lake, first, min(first + _AT_ONCE - 1, copies))
        lake.compact()
        middle = lake.query(
            "SELECT (min(started_at) + (max(started_at) - min(started_at)) / 2)::DATE FROM spans"
        ).item()
    found = [_measured(home, "all marts, the first time"), _measured(home, "nothing new")]
    with Warehouse.open(home / "warehouse", limits=Limits(threads=2)) as lake:
        lake.transaction(lambda connection: connection.execute(_FEW, {"runs": _FEW_RUNS}))
    found.append(_measured(home, f"{_FEW_RUNS} more runs"))
    with Warehouse.open(home / "warehouse", limits=Limits(threads=2)) as lake:
        _copy(lake, -1, -1)
    found.append(_measured(home, f"{1 / (copies + 1):.1%} more spans, a new week"))
    load = traffic(scratch / "beside", min(_BESIDE_SPANS, spans), seed=seed)
    worker = _stream(home, load.files)
    _wait_for_more(home, found[-1]["rows"])
    found.append(_measured(home, "a day again, beside a stream at full speed", days=(middle, middle)))
    worker.wait()
    return found


def _stream(home: Path, files: list[Path] | tuple[Path, ...]) -> Worker:
    return Worker(
        home, "--source", "files", *(part for file in files for part in ("--files", str(file))), "--until-end"
    )


def _copy(lake: Warehouse, first: int, last: int) -> None:
    def work(connection: Any) -> None:
        for statement in _COPY:
            if statement.strip():
                connection.execute(statement, {"first": first, "last": last})

    lake.transaction(work)


def _rows(home: Path) -> int:
    with Warehouse.open(home / "warehouse", read_only=True) as lake:
        return lake.query(_COUNT).item()


def _wait_for_more(home: Path, rows: int) -> None:
    while _rows(home) <= rows:
        time.sleep(0.2)


def _measured(home: Path, what: str, *, days: tuple[date, date] | None = None) -> dict[str, Any]:
    """Times of one refresh in this process: the whole of it, and of that the steps that build marts."""
    rows = _rows(home)
    result, seconds, processor = _timed(lambda: refresh(home, days=days))
    if result.failed_checks:
        raise RuntimeError(f"{what}: {', '.join(result.failed_checks)}")
    with dg.DagsterInstance.from_config(str(dagster_home(home))) as instance:
        steps = {step.step_key: step for step in instance.get_run_step_stats(result.run_id)}
    built = [step for name in marts.names() if (step := steps.get(name)) is not None]
    return {
        "what": what,
        "rows": rows,
        "refresh_seconds": seconds,
        "processor_seconds": processor,
        "marts_seconds": sum((step.end_time or 0.0) - (step.start_time or 0.0) for step in built),
    }


def _timed(work: Callable[[], RefreshResult]) -> tuple[RefreshResult, float, float]:
    """Its result, its time by the clock and by the processor, in seconds."""
    began, before = time.perf_counter(), os.times()
    result = work()
    after = os.times()
    return result, time.perf_counter() - began, after.user - before.user + after.system - before.system

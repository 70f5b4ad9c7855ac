"""How long a refresh takes: over everything, with nothing new, and after one per cent more spans."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines.defs.home import dagster_home
from pipelines.defs.refresh import refresh
from pipelines.simulate import simulate
from tests.benchmarks.worker import Worker
from warehouse import Limits, Warehouse, marts

_COPY = (Path(__file__).parent / "copy_week.sql").read_text(encoding="utf-8").split(";\n")
_COUNT = "SELECT count(*) FROM spans"
_WEEK_DAYS = 7


def refreshing(scratch: Path, spans: int, *, seed: int) -> list[dict[str, Any]]:
    """Figures per refresh of a warehouse of so many spans: copies of one simulated week on the weeks before it."""
    home = scratch / "refreshed"
    truth = simulate(scratch / "week", seed=seed, days=_WEEK_DAYS, drifts=())
    files = [part for name in truth.files for part in ("--files", str(scratch / "week" / name))]
    Worker(home, "--source", "files", *files, "--until-end").wait()
    with Warehouse.open(home / "warehouse", limits=Limits(threads=2)) as lake:
        copies = max(1, round(spans / lake.query(_COUNT).item()) - 1)
        for number in range(1, copies + 1):
            _copy(lake, number, number * _WEEK_DAYS)
        lake.compact()
    found = [_measured(home, "all marts, the first time"), _measured(home, "nothing new")]
    with Warehouse.open(home / "warehouse", limits=Limits(threads=2)) as lake:
        _copy(lake, copies + 1, -_WEEK_DAYS)
    found.append(_measured(home, f"{1 / (copies + 1):.1%} more spans, a new week"))
    found.append(_measured(home, "all marts, `--whole`", whole=True))
    return found


def _copy(lake: Warehouse, number: int, days: int) -> None:
    def work(connection: Any) -> None:
        for statement in _COPY:
            if statement.strip():
                connection.execute(statement, {"copy": str(number), "days": days})

    lake.transaction(work)


def _measured(home: Path, what: str, *, whole: bool = False) -> dict[str, Any]:
    """Times of one refresh in this process: the whole of it, and of that the steps that build marts."""
    with Warehouse.open(home / "warehouse", read_only=True) as lake:
        rows = lake.query(_COUNT).item()
    began = time.perf_counter()
    result = refresh(home, whole=whole)
    seconds = time.perf_counter() - began
    with dg.DagsterInstance.from_config(str(dagster_home(home))) as instance:
        steps = {step.step_key: step for step in instance.get_run_step_stats(result.run_id)}
    built = [step for name in marts.names() if (step := steps.get(name)) is not None]
    return {
        "what": what,
        "rows": rows,
        "runs": result.rows["runs"],
        "refresh_seconds": seconds,
        "marts_seconds": sum((step.end_time or 0.0) - (step.start_time or 0.0) for step in built),
    }

"""How long a refresh takes: over everything, with nothing new, after few changes, and of a day beside a running stream."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import dagster as dg

from pipelines.defs.home import dagster_home
from pipelines.simulate import simulate
from tests.benchmarks.traffic import traffic
from tests.benchmarks.worker import Worker
from warehouse import Limits, Warehouse

_COPY = (Path(__file__).parent / "copy_week.sql").read_text(encoding="utf-8").split(";\n")
_FEW = (Path(__file__).parent / "copy_runs.sql").read_text(encoding="utf-8")
_COUNT = "SELECT count(*) FROM spans"
_WEEK_DAYS = 7
#: Copies made by one transaction: more would need more memory, fewer more time.
_AT_ONCE = 8
_FEW_RUNS = 100
_COMMAND = (sys.executable, "-m", "pipelines")
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
    _compile(scratch / "empty")
    found = [_measured(home, "all marts, the first time"), _measured(home, "nothing new")]
    with Warehouse.open(home / "warehouse", limits=Limits(threads=2)) as lake:
        lake.transaction(lambda connection: connection.execute(_FEW, {"runs": _FEW_RUNS}))
    found.append(_measured(home, f"{_FEW_RUNS} more runs"))
    with Warehouse.open(home / "warehouse", limits=Limits(threads=2)) as lake:
        weeks = max(1, round((copies + 1) / 100))
        _copy(lake, -weeks, -1)
    new = "a new week" if weeks == 1 else f"{weeks} new weeks"
    found.append(_measured(home, f"{weeks / (copies + 1):.1%} more spans, {new}"))
    load = traffic(scratch / "beside", min(_BESIDE_SPANS, spans), seed=seed)
    worker = _stream(home, load.files)
    _wait_for_more(home, found[-1]["rows"])
    a_day = ("backfill", "marts", "--since", f"{middle}", "--until", f"{middle}")
    found.append(_measured(home, "a day again, beside a stream at full speed", *a_day))
    worker.wait()
    return found


def _compile(home: Path) -> None:
    """Refresh a home without a span, so that Python has compiled what it imports: it does once, where it is installed."""
    Warehouse.open(home / "warehouse").close()
    _timed(home, "refresh")


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


def _measured(home: Path, what: str, *arguments: str) -> dict[str, Any]:
    """Times of one command, a refresh if no other is given: of the whole process, and of the marts that it built."""
    rows, before = _rows(home), _last_run(home)
    seconds, processor = _timed(home, *(arguments or ("refresh",)))
    run = _last_run(home)
    return {
        "what": what,
        "rows": rows,
        "refresh_seconds": seconds,
        "processor_seconds": processor,
        "marts_seconds": _marts_seconds(home, run) if run is not None and run != before else 0.0,
    }


def _last_run(home: Path) -> str | None:
    """Id of the run that Dagster recorded last."""
    with dg.DagsterInstance.from_config(str(dagster_home(home))) as instance:
        return next((run.run_id for run in instance.get_runs(limit=1)), None)


def _marts_seconds(home: Path, run: str) -> float:
    """What the marts took one by one, added up: some were built at the same time."""
    with dg.DagsterInstance.from_config(str(dagster_home(home))) as instance:
        logs = instance.all_logs(run, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    of_each = [
        log.asset_materialization.metadata.get("plumbline/build_seconds") for log in logs if log.asset_materialization
    ]
    return sum(float(str(seconds.value)) for seconds in of_each if seconds is not None)


def _timed(home: Path, *arguments: str) -> tuple[float, float]:
    """A command's time by the clock and by the processor, in seconds: its process's own, whatever runs beside it.

    Raises
    ------
    RuntimeError
        It failed; its last words are the message.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with home.with_suffix(".refresh.log").open("w+", encoding="utf-8") as log:
        began = time.perf_counter()
        command = [*_COMMAND, "--home", str(home), *arguments]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise RuntimeError(f"{' '.join(arguments)} ended with {process.returncode}: {log.read()[-800:]}")
    return seconds, used.ru_utime + used.ru_stime

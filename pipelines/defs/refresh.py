"""`plumbline refresh` and `plumbline backfill marts`: marts and checks once, in this process, recorded for Dagster's UI.

Quiet: Dagster's messages go to its event log below HOME/dagster; what a caller must know comes back as a result or an error.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.defs.home import dagster_home
from pipelines.errors import PlumblineError, TerminalError, TransientError
from warehouse import marts
from warehouse.builders import Builders

if TYPE_CHECKING:
    import dagster as dg

    from warehouse import Warehouse


#: Marts behind which a blocking check stands (`pipelines.defs.checks`), and its name. Here: the marts are built while Dagster,
#: which the checks need, is imported.
GATES = {"runs": "runs_are_sound", "cost_by_day": "cost_agrees_with_runs"}
#: By these tags of a run Dagster knows the days that it is for, first and last.
_RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """What one refresh did.

    Attributes
    ----------
    rows : dict[str, int]
        Rows by mart, in the order in which they were built; marts that a failed check blocked are not in it. Where days were
        asked for, of marts by day the rows of these days.
    failed_checks : tuple[str, ...]
        Names of the checks that failed, ``asset.check: what it found``.
    warnings : tuple[str, ...]
        The same of those that block nothing.
    run_id : str
        Dagster's id of the run.
    is_undisturbed : bool
        Whether nothing that marts follow from changed while it ran.
    """

    rows: dict[str, int]
    failed_checks: tuple[str, ...]
    warnings: tuple[str, ...]
    run_id: str
    is_undisturbed: bool = False


def refresh(
    home: Path,
    *,
    whole: bool = False,
    days: tuple[date, date] | None = None,
    open_warehouse: Callable[[], Warehouse] | None = None,
) -> RefreshResult:
    """Build the marts of a home's warehouse.

    Parameters
    ----------
    whole : bool
        From all rows, also where only some runs changed.
    days : tuple of date, optional
        First and last day: compute these of the marts by day, changed or not, and what depends on them, and no other mart.
    open_warehouse : callable, optional
        Opens that of the home for writing; it is closed when the refresh ends. Without it the run opens one for itself, and
        builds one mart at a time.

    Raises
    ------
    TransientError
        The warehouse stayed busy through every retry.
    TerminalError
        A mart can't be built, or Dagster's configuration is broken.
    """
    with warnings.catch_warnings(), _signal_handlers_kept(), _garbage_collected_rarely():
        warnings.simplefilter("ignore")  # other libraries' deprecations are no business of who refreshes
        if open_warehouse is None:
            return _recorded(home, whole, days, None, None)
        with open_warehouse() as warehouse:
            return _run(home, whole, days, warehouse)


@contextmanager
def _garbage_collected_rarely() -> Iterator[None]:
    """Let Python look for circles of objects after a million new ones, not 700: a tenth of the CPU of a refresh of few runs.

    Most of what it would look at, Dagster and its definitions, stays until the end.
    """
    before = gc.get_threshold()
    gc.set_threshold(1_000_000, *before[1:])
    try:
        yield
    finally:
        # What is there counts as looked through: or all of it were looked through at once, for a fifth of a second.
        gc.freeze()
        gc.unfreeze()
        gc.set_threshold(*before)


@contextmanager
def _threads_switched_often() -> Iterator[None]:
    """Let a builder that comes back from DuckDB wait for Python half a millisecond, not five: it comes a thousand times."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Put the caller's handlers back: Dagster gives SIGTERM that of SIGINT, and leaves it there."""
    numbers = (signal.SIGTERM, signal.SIGINT)
    if threading.current_thread() is not threading.main_thread():
        yield  # Dagster changes none there, and none may be set
        return
    found = {number: signal.getsignal(number) for number in numbers}
    before = {number: handler for number, handler in found.items() if handler is not None}  # None: not Python's
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(home: Path, whole: bool, days: tuple[date, date] | None, warehouse: Warehouse) -> RefreshResult:
    if whole or days or not marts.are_partly_new(warehouse):
        return _recorded(home, whole, days, warehouse, None)
    warehouse.writer = writer_of("refresh")  # the builders' too
    with _threads_switched_often(), Builders(warehouse, GATES) as builders:
        return _recorded(home, whole, days, warehouse, builders)


def writer_of(job: str) -> str:
    """What the snapshots of a job of Dagster's say of who wrote them."""
    return f"dagster {job}"


def _recorded(
    home: Path, whole: bool, days: tuple[date, date] | None, warehouse: Warehouse | None, builders: Builders | None
) -> RefreshResult:
    import dagster as dg

    from pipelines.definitions import defs
    from pipelines.defs.lakehouse import UNDISTURBED, handed_over
    from pipelines.defs.retention import prune

    directory = dagster_home(home)
    with handed_over(warehouse, builders), _instance(directory) as instance:
        result = defs.resolve_job_def("backfill" if days else "refresh").execute_in_process(
            instance=instance,
            tags=dict(zip(_RANGE, map(str, days), strict=True)) if days else None,
            run_config={
                # In the foreground someone waits for it: all cores.
                "resources": {
                    "lakehouse": {
                        "config": {"home": str(home.absolute()), "threads": os.cpu_count() or 1, "whole": whole}
                    }
                },
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            raise_on_error=False,
        )
        failed, warned = (
            tuple(
                f"{check.asset_key.to_user_string()}.{check.check_name}: {check.description}"
                for check in result.get_asset_check_evaluations()
                if not check.passed and check.severity is severity
            )
            for severity in (dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN)
        )
        if not result.success and not failed:
            raise _error(result, directory)
        prune(instance)
        run = instance.get_run_by_id(result.run_id)
        is_undisturbed = run is not None and UNDISTURBED in run.tags
        return RefreshResult(_rows(result), failed, warned, result.run_id, is_undisturbed)


def _instance(directory: Path) -> dg.DagsterInstance:
    import dagster as dg

    from pipelines.defs.storage import instance_ref

    try:
        return dg.DagsterInstance.from_ref(instance_ref(directory))
    except dg.DagsterError as error:
        raise TerminalError("Dagster can't start", str(directory / "dagster.yaml"), str(error)) from error


def _rows(result: dg.ExecuteInProcessResult) -> dict[str, int]:
    """By mart, those of the record of all of it; where there is none, those of its days together."""
    of_all: dict[str, int] = {}
    of_days: dict[str, int] = {}
    for event in result.get_asset_materialization_events():
        assert event.asset_key is not None, "it is of an asset"
        name = event.asset_key.to_user_string()
        rows = int(str(event.materialization.metadata["dagster/row_count"].value))
        of_days[name] = of_days.get(name, 0) + rows
        if event.partition is None:
            of_all[name] = rows
    return {**of_days, **of_all}


def _error(result: dg.ExecuteInProcessResult, directory: Path) -> PlumblineError:
    """What made the run fail, in one line."""
    for event in result.all_events:
        failure = event.step_failure_data if event.is_step_failure else None
        if failure is None or failure.error is None:
            continue
        causes = [failure.error]
        while causes[-1].cause is not None:
            causes.append(causes[-1].cause)
        kind = TransientError if any(cause.cls_name == "WarehouseBusyError" for cause in causes) else TerminalError
        said = causes[-1].message.removeprefix(f"{causes[-1].cls_name}: ")
        return kind(f"{event.step_key} failed", str(directory), said)
    return TerminalError("the refresh failed", str(directory), "open `plumbline dagster` for its log")

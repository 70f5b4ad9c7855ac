"""Run all assets and their checks once, in this process, recorded where Dagster's UI shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from pipelines.definitions import defs
from pipelines.defs.home import run_config
from pipelines.defs.instance import dagster_home
from pipelines.defs.jobs import KEPT_RUNS, prune_runs, refresh_marts
from pipelines.errors import TerminalError


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """What one refresh did.

    Parameters
    ----------
    rows : dict[str, int]
        Rows of each mart that was built, in order.
    failed_checks : tuple[str, ...]
        Checks that failed, each with what it found; what depends on them was left as it was.
    run_id : str
        Dagster's id of the run.
    """

    rows: dict[str, int]
    failed_checks: tuple[str, ...]
    run_id: str


def refresh(home: Path) -> RefreshResult:
    """Build every mart of the warehouse in `home` with its checks.

    Raises
    ------
    TerminalError
        If a mart can't be built; its first error is in the message.
    """
    directory = dagster_home(home)
    with dg.DagsterInstance.from_config(str(directory)) as instance:
        result = defs.resolve_job_def(refresh_marts.name).execute_in_process(
            run_config={**run_config(home), "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            instance=instance,
            raise_on_error=False,
        )
        rows: dict[str, int] = {}
        for event in result.get_asset_materialization_events():
            materialization = event.step_materialization_data.materialization
            rows[materialization.asset_key.to_user_string()] = materialization.metadata["dagster/row_count"].value  # pyright: ignore
        failed = tuple(
            f"{check.check_name} on {check.asset_key.to_user_string()}"
            + (f" ({check.description})" if check.description else "")
            for check in result.get_asset_check_evaluations()
            if not check.passed
        )
        if not result.success and not failed:
            raise TerminalError("a mart can't be built", str(directory), _first_error(result))
        prune_runs(instance, keep=KEPT_RUNS)
    return RefreshResult(rows, failed, result.run_id)


def _first_error(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            if error is not None:
                return error.message
    return "open `plumbline dagster` for its log"

"""Retention: rows past their table's age (`retention_days` of the settings), and old runs of Dagster.

Dagster keeps one SQLite database per run and never deletes one by itself.
"""

# No postponed annotations: Dagster reads the type of `context` as it is.

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import RETRIES, only_when_busy
from pipelines.settings import load_settings
from warehouse import marts
from warehouse import retention as rows

#: Runs that ended longer ago than this are deleted, with their events and captured output.
KEEP = timedelta(days=14)
#: At most this many at a time: the rest waits for the next time.
MOST = 2_000

_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def prune(instance: dg.DagsterInstance, *, keep: timedelta = KEEP, most: int = MOST) -> int:
    """Number of runs deleted: those that ended and were made more than `keep` ago, but the latest success of each job.

    Those that computed a day of a mart last stay as well: without them Dagster would show that day as never computed.

    Parameters
    ----------
    instance : dagster.DagsterInstance
        The instance whose runs are looked at.
    keep : timedelta
        Age up to which runs are kept.
    most : int
        Runs deleted at most.
    """
    old = dg.RunsFilter(statuses=_ENDED, created_before=datetime.now(UTC) - keep)
    deleted, kept = 0, {}
    found = instance.get_run_records(old, limit=most)
    of_days = _runs_of_days(instance) if found else set()
    for record in found:
        run = record.dagster_run
        if run.job_name not in kept:
            done = dg.RunsFilter(job_name=run.job_name, statuses=[dg.DagsterRunStatus.SUCCESS])
            kept[run.job_name] = {latest.run_id for latest in instance.get_runs(done, limit=1)}
        if run.run_id in kept[run.job_name] | of_days:
            continue
        instance.delete_run(run.run_id)
        instance.compute_log_manager.delete_logs(prefix=[run.run_id])
        _delete_database(instance, run.run_id)
        deleted += 1
    return deleted


def _runs_of_days(instance: dg.DagsterInstance) -> set[str]:
    """Runs that hold the latest record of a day of a mart."""
    found: set[str] = set()
    for key in map(dg.AssetKey, marts.by_day()):
        latest = list(
            instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION).values()
        )
        if latest:
            last = instance.fetch_materializations(dg.AssetRecordsFilter(key, storage_ids=latest), limit=len(latest))
            found |= {record.run_id for record in last.records}
    return found


def _delete_database(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete what SQLite storage leaves of a deleted run: its emptied database."""
    runs = Path(instance.root_directory) / "history" / "runs"
    for file in (runs / f"{run_id}.db", runs / f"{run_id}.db-wal", runs / f"{run_id}.db-shm"):
        file.unlink(missing_ok=True)


@dg.op(description=f"Deletes runs that ended more than {KEEP.days} days ago.")
def prune_runs(context: dg.OpExecutionContext) -> None:
    """Prune; the count becomes the step's metadata."""
    context.add_output_metadata({"deleted": prune(context.instance)})


@dg.op(
    retry_policy=RETRIES,
    description="Deletes rows older than `retention_days` in plumbline.toml says for their table; without it, none.",
)
def delete_old_rows(context: dg.OpExecutionContext, lakehouse: Lakehouse) -> None:
    """Delete; the rows deleted by table become the step's metadata."""
    with only_when_busy():
        deleted = rows.apply(lakehouse.warehouse, load_settings().retention_days)
    context.add_output_metadata(dict(deleted))


@dg.job(
    description=(
        f"Deletes rows past their table's retention, and Dagster runs older than {KEEP.days} days; the latest success of "
        "each job stays, and what computed a day of a mart last."
    )
)
def retention() -> None:
    """Run `prune_runs` and `delete_old_rows`."""
    prune_runs()
    delete_old_rows()

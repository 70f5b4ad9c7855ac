"""What runs when: the marts every hour, compaction every ten minutes, old run records once a day.

All in one process, one run at a time (``dagster.yaml``): Dagster leaves the machine to the stream.
"""

import dagster as dg

from pipelines.defs.home import Home

# Each run leaves a SQLite file of its own; 500 are twenty days of hourly refreshes.
KEPT_RUNS = 500

refresh_marts = dg.define_asset_job(
    "refresh_marts",
    selection=dg.AssetSelection.all(),
    description="Build every mart, in order, with its checks.",
    executor_def=dg.in_process_executor,
)


@dg.op(description="Merge small files, expire old snapshots, delete what nothing needs.")
def compact(context: dg.OpExecutionContext, home: Home) -> None:
    """Compact the warehouse; the counts are in the run's log and output metadata."""
    with home.warehouse() as warehouse:
        counts = warehouse.compact()
    context.log.info("compacted: %s", counts)
    context.add_output_metadata(dict(counts))


@dg.job(
    description="Keep the lake quick: warehouse/compaction.py says how.",
    executor_def=dg.in_process_executor,
)
def compact_warehouse() -> None:
    """One op: `compact`."""
    compact()


@dg.op(description="Delete the records of all but the newest runs.")
def prune(context: dg.OpExecutionContext) -> None:
    """Delete old finished runs from Dagster's own storage."""
    context.add_output_metadata({"deleted": prune_runs(context.instance, keep=KEPT_RUNS)})


@dg.job(description="Keep Dagster's own storage small.", executor_def=dg.in_process_executor)
def prune_run_records() -> None:
    """One op: `prune`."""
    prune()


def prune_runs(instance: dg.DagsterInstance, *, keep: int) -> int:
    """Delete the records of finished runs beyond the newest `keep`; return how many were deleted."""
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    old = instance.get_runs(dg.RunsFilter(statuses=finished))[keep:]
    for run in old:
        instance.delete_run(run.run_id)
    return len(old)


schedules = [
    dg.ScheduleDefinition(
        name="marts_hourly",
        job=refresh_marts,
        cron_schedule="5 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Five past, so that the last hour's late spans are there.",
    ),
    dg.ScheduleDefinition(
        name="compaction_every_ten_minutes",
        job=compact_warehouse,
        cron_schedule="*/10 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    ),
    dg.ScheduleDefinition(
        name="run_records_daily",
        job=prune_run_records,
        cron_schedule="35 3 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    ),
]

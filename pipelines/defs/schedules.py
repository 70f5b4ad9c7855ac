"""When jobs run while `plumbline dagster` does; each can be stopped in its UI. Times in UTC."""

from __future__ import annotations

import dagster as dg

from pipelines.defs.jobs import backup, compaction, refresh
from pipelines.defs.reports import reports
from pipelines.defs.retention import retention
from pipelines.settings import load_settings

_RUNNING = dg.DefaultScheduleStatus.RUNNING


@dg.schedule(
    job=backup,
    cron_schedule="12 4 * * *",  # after retention: what it deleted need not be copied
    default_status=_RUNNING,
    description="Every day at 04:12, where `backup_directory` is set.",
)
def backup_daily() -> dg.RunRequest | dg.SkipReason:
    """Ask for a backup where there is a directory for it."""
    if load_settings().backup_directory is None:
        return dg.SkipReason("backup_directory is not set")
    return dg.RunRequest()


schedules = [
    backup_daily,
    dg.ScheduleDefinition(
        name="refresh_hourly",
        job=refresh,
        cron_schedule="0 * * * *",
        default_status=_RUNNING,
        description="Every hour on the hour: of the marts per run those that changed, the others whole.",
    ),
    dg.ScheduleDefinition(
        name="refresh_whole_daily",
        job=refresh,
        cron_schedule="27 2 * * *",
        default_status=_RUNNING,
        run_config={"resources": {"lakehouse": {"config": {"whole": True}}}},
        description="Every day at 02:27: every mart from all rows.",
    ),
    dg.ScheduleDefinition(
        name="compaction_every_ten_minutes",
        job=compaction,
        cron_schedule="5-59/10 * * * *",  # between the refreshes
        default_status=_RUNNING,
        description="Every ten minutes, five minutes after the hour first.",
    ),
    dg.ScheduleDefinition(
        name="retention_daily",
        job=retention,
        cron_schedule="32 3 * * *",
        default_status=_RUNNING,
        description="Every day at 03:32.",
    ),
    dg.ScheduleDefinition(
        name="reports_daily",
        job=reports,
        cron_schedule="12 5 * * *",
        default_status=_RUNNING,
        description="Every day at 05:12, after the whole refresh.",
    ),
]

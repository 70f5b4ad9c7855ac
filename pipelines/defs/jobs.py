"""The jobs: refresh builds every mart with its checks, backfill days of those by day; compaction keeps the lake's files few,
backup keeps copies of them elsewhere.
"""

# No postponed annotations: Dagster reads the type of `context` as it is.

from datetime import timedelta

import dagster as dg

from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import RETRIES, only_when_busy
from pipelines.settings import load_settings
from warehouse import compaction as upkeep
from warehouse import marts

refresh = dg.define_asset_job(
    "refresh", selection=dg.AssetSelection.all(), description="Builds every mart once, in order, with its checks."
)

backfill = dg.define_asset_job(
    "backfill",
    selection=dg.AssetSelection.assets(*marts.by_day()).downstream(),
    description="Computes the days asked for of the marts by day, changed or not, and what depends on them, with its checks.",
)


@dg.op(retry_policy=RETRIES, description="Drops snapshots older than `snapshot_days`, but the latest.")
def expire_snapshots(context: dg.OpExecutionContext, lakehouse: Lakehouse) -> None:
    """Expire; the count becomes the step's metadata."""
    with only_when_busy():
        keep = timedelta(days=load_settings().snapshot_days)
        context.add_output_metadata(dict(upkeep.expire(lakehouse.warehouse, keep=keep)))


@dg.op(
    retry_policy=RETRIES,
    ins={"after": dg.In(dg.Nothing)},
    description="Makes few, sorted files of many, by day where a table is parted by days.",
)
def merge_files(context: dg.OpExecutionContext, lakehouse: Lakehouse) -> None:
    """Merge; the counts become the step's metadata."""
    with only_when_busy():
        context.add_output_metadata(dict(upkeep.merge(lakehouse.warehouse)))


@dg.op(
    retry_policy=RETRIES,
    ins={"after": dg.In(dg.Nothing)},
    description="Deletes files that no snapshot needs any more, and orphans of killed writers; none while a backup runs.",
)
def clean_up_files(context: dg.OpExecutionContext, lakehouse: Lakehouse) -> None:
    """Clean up; the counts become the step's metadata."""
    with only_when_busy():
        context.add_output_metadata(dict(upkeep.clean_up(lakehouse.warehouse)))


@dg.job(description="Compacts the lake, in transactions short enough for the stream to wait its turn between them.")
def compaction() -> None:
    """Run `expire_snapshots`, `merge_files` and `clean_up_files`."""
    clean_up_files(after=merge_files(after=expire_snapshots()))


@dg.op(
    retry_policy=RETRIES,
    config_schema={"home": dg.Field(str, default_value="", description="Home directory; empty: that of the settings.")},
    description="Backs up the warehouse and the detectors' checkpoint into `backup_directory`, checksums compared.",
)
def back_up(context: dg.OpExecutionContext) -> None:
    """Back up; what the backup holds becomes the step's metadata."""
    from pipelines import backups  # here: it needs the detectors, and no other job does

    with only_when_busy():
        made = backups.run(load_settings({"home": context.op_config["home"] or None}))
    context.add_output_metadata(
        {"backup": made.name, "snapshot": made.snapshot, "files": len(made.files), "bytes": made.bytes}
    )


@dg.job(description="Backs up the home into `backup_directory` beside its writers; the latest `backups_kept` stay.")
def backup() -> None:
    """Run `back_up`."""
    back_up()

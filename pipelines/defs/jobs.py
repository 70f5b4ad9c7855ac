"""The jobs: refresh builds every mart with its checks, backfill days of those by day; compaction keeps the lake's files few."""

# No postponed annotations: Dagster reads the type of `context` as it is.

import dagster as dg

from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import RETRIES, only_when_busy
from warehouse import marts

refresh = dg.define_asset_job(
    "refresh", selection=dg.AssetSelection.all(), description="Builds every mart once, in order, with its checks."
)

backfill = dg.define_asset_job(
    "backfill",
    selection=dg.AssetSelection.assets(*marts.by_day()).downstream(),
    description="Computes the days asked for of the marts by day, changed or not, and what depends on them, with its checks.",
)


@dg.op(retry_policy=RETRIES, description="Merges small files and drops snapshots and files past their time.")
def compact(context: dg.OpExecutionContext, lakehouse: Lakehouse) -> None:
    """Compact the lake; its counts become the step's metadata."""
    with only_when_busy():
        counts = lakehouse.warehouse.compact()
    context.add_output_metadata(counts)


@dg.job(description="Compacts the lake, in transactions short enough for the stream to wait its turn between them.")
def compaction() -> None:
    """Run `compact`."""
    compact()

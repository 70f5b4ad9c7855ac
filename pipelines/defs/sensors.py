"""Refresh when something came, and not only by the clock."""

# No postponed annotations: Dagster reads the type of `context` as it is.

import dagster as dg

from pipelines.defs.jobs import backfill, refresh
from pipelines.defs.lakehouse import Lakehouse
from warehouse import WarehouseBusyError, marks, marts, read_only

#: What marts follow from and is not made by a refresh itself.
FACTS = frozenset().union(*(marts.upstream(name) for name in marts.names())) - frozenset(marts.names())
#: A refresh every five minutes at most: each costs the start of a process.
_EVERY_SECONDS = 300
_UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(
    job=refresh,
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Asks for a refresh when snapshots of the lake hold new spans, late outcomes, another catalog, or anything else that "
        "marts follow from; never for a second one while one is under way."
    ),
)
def new_facts(context: dg.SensorEvaluationContext, lakehouse: Lakehouse) -> dg.SensorResult | dg.SkipReason:
    """Look at the snapshots after the one seen last (the cursor)."""
    if not (lakehouse.directory / "catalog.sqlite").exists():
        return dg.SkipReason("nothing is stored yet")
    for job in (refresh, backfill):
        if context.instance.get_runs_count(dg.RunsFilter(job_name=job.name, statuses=_UNDER_WAY)):
            return dg.SkipReason(f"a {job.name} is under way; what it does not see is found at the next look")
    try:
        with read_only(lakehouse.directory) as lake, lake.reading() as now:
            changes = marks.changes(lake, int(context.cursor or 0), now)
    except WarehouseBusyError as error:
        return dg.SkipReason(str(error))
    found = FACTS if changes is None else changes.changed & FACTS
    if not found:
        return dg.SkipReason("no new facts")
    tags = {"plumbline/new": "more than snapshots tell" if changes is None else ", ".join(sorted(found))}
    return dg.SensorResult([dg.RunRequest(run_key=f"snapshot-{now}", tags=tags)], cursor=f"{now}")

"""Refresh when something came, instead of by the clock: off until it is switched on in Dagster's UI."""

# No postponed annotations: Dagster reads the type of `context` as it is.

from pathlib import Path

import dagster as dg

from pipelines.defs.jobs import refresh
from pipelines.defs.lakehouse import Lakehouse
from warehouse import WarehouseBusyError, read_only

_NEW_FACTS = Path(__file__).parent / "queries" / "new_facts.sql"
#: A refresh every five minutes at most: each costs the start of a process.
_EVERY_SECONDS = 300


@dg.sensor(
    job=refresh,
    minimum_interval_seconds=_EVERY_SECONDS,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Asks for a refresh when snapshots of the lake hold new spans, late outcomes or another catalog.",
)
def new_facts(context: dg.SensorEvaluationContext, lakehouse: Lakehouse) -> dg.SensorResult | dg.SkipReason:
    """Look at the snapshots after the one seen last (the cursor)."""
    if not (lakehouse.directory / "catalog.sqlite").exists():
        return dg.SkipReason("nothing is stored yet")
    try:
        with read_only(lakehouse.directory) as lake:
            found = lake.query(_NEW_FACTS.read_text(encoding="utf-8"), [int(context.cursor or -1)])
    except WarehouseBusyError as error:
        return dg.SkipReason(str(error))
    if found.is_empty():
        return dg.SkipReason("no new facts")
    latest = str(found["snapshot_id"].max())
    tables = ", ".join(found["table_name"].unique().sort())
    return dg.SensorResult([dg.RunRequest(run_key=f"snapshot-{latest}", tags={"plumbline/new": tables})], cursor=latest)

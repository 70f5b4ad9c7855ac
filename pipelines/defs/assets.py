"""One asset per mart of SQL, made from the models: their headers and what they read are the only description there is.

The facts that the stream and the catalog write are assets of others here (external): they show where a mart comes from.

Marts by day are partitioned by day. A run computes the days on which something changed, and those that it is for, and records
each of them; one that is for no days records the mart as a whole beside them.
"""

# No postponed annotations: Dagster reads the type of `context` as it is.

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

import dagster as dg

from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import RETRIES, only_when_busy
from pipelines.stages.normalise import EARLIEST
from warehouse import Warehouse, marts
from warehouse.builders import as_they_end
from warehouse.dictionary import raw_tables
from warehouse.headers import Relation

#: Who answers for a group of marts; the platform team for the others.
OWNERS = {"cost": "team:finance"}
#: The schedule refreshes every hour: two missed ones are a warning, and a mart of a day ago is stale.
FRESHNESS = dg.FreshnessPolicy.time_window(warn_window=timedelta(hours=2), fail_window=timedelta(hours=24))


class Days(dg.DailyPartitionsDefinition):
    """Days whose list is made once a day: Dagster asks for it in every step that reads a mart by day."""

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: Any = None
    ) -> Sequence[str]:
        """As of `DailyPartitionsDefinition`."""
        if current_time is not None:
            return super().get_partition_keys(current_time, dynamic_partitions_store)
        last = self.get_last_partition_key()
        return [] if last is None else list(_listed(self.start.date(), date.fromisoformat(last)))


@lru_cache(maxsize=1)
def _listed(first: date, last: date) -> tuple[str, ...]:
    return tuple(f"{first + timedelta(days=after)}" for after in range((last - first).days + 1))


#: The days of a mart by day, in UTC, today's among them. All that a clock may say, not those with runs: partitions that are added
#: as runs arrive are ordered by their arrival, and a range of them would leave out days that came late.
DAYS = Days(EARLIEST, end_offset=1)
#: Of what is not a mart: made in this thread while builders are at work, or what they wait for.
FIRST = 1
_FACT_GROUPS = {"catalog": "catalog", "signals": "alerts", "incidents": "alerts"}

# Not duckdb_columns(): that binds every view of the lake again after each build, half a second of CPU each time.
_COLUMNS = """
SELECT column_name, column_type, (SELECT id FROM ducklake_last_committed_snapshot('lake')) FROM (DESCRIBE FROM query_table(?))
"""


def mart_assets() -> list[dg.AssetsDefinition]:
    """The marts, each after those that it reads."""
    return [_mart_asset(marts.models()[name]) for name in marts.names()]


def fact_specs(others: Sequence[dg.AssetsDefinition] = ()) -> list[dg.AssetSpec]:
    """The tables that marts, and the `others` that Python makes, read and the stream writes."""
    read = {table for name in marts.names() for table in marts.upstream(name)}
    read |= {key.to_user_string() for other in others for key in other.dependency_keys}
    return [
        dg.AssetSpec(
            table.name,
            group_name=_FACT_GROUPS.get(table.name.split("_")[0], "facts"),
            kinds={"duckdb", "table"},
            owners=["team:platform"],
            description=describe(table),
            metadata={"plumbline/grain": table.grain},
        )
        for table in raw_tables()
        if table.name in read
    ]


def _mart_asset(mart: Relation) -> dg.AssetsDefinition:
    is_by_day = mart.name in marts.by_day()

    @dg.asset(
        name=mart.name,
        deps=sorted(marts.upstream(mart.name)),
        group_name=mart.group,
        kinds={"duckdb", "sql"},
        owners=[OWNERS.get(mart.group, "team:platform")],
        description=describe(mart),
        metadata={"plumbline/grain": mart.grain, "plumbline/model": f"warehouse/models/marts/{mart.name}.sql"},
        retry_policy=RETRIES,
        freshness_policy=FRESHNESS,
        partitions_def=DAYS if is_by_day else None,
        backfill_policy=dg.BackfillPolicy.single_run() if is_by_day else None,
        op_tags=priority(-as_they_end().index(mart.name)),
    )
    def build(context: dg.AssetExecutionContext, lakehouse: Lakehouse) -> dg.MaterializeResult:
        with only_when_busy():
            return _materialize(context, lakehouse, mart)

    return build


def priority(of: int) -> dict[str, str]:
    """Tags of a step that comes before others that are ready where its number is higher: marts as their builders end them."""
    return {"dagster/priority": f"{of}"}


def _materialize(context: dg.AssetExecutionContext, lakehouse: Lakehouse, mart: Relation) -> dg.MaterializeResult:
    """Build a mart, and record its row count, column schema and snapshot: of all of it, and of its days that were computed."""
    asked = _days_asked_for(context) if mart.name in marts.by_day() else None
    done = lakehouse.build(mart.name)
    days = done.days
    if asked:  # beside what changed on others: the checks look at all days, and at the runs as they are now
        done = marts.build(lakehouse.warehouse, mart.name, days=asked)
        days = {**days, **done.days}
    result = built(lakehouse.warehouse, mart, done.rows, seconds=done.seconds)
    rows = {f"{day}": rows for day, rows in days.items()}
    recorded_by_dagster = context.partition_keys if asked else []
    for day in recorded_by_dagster:
        context.add_asset_metadata({"dagster/row_count": rows.get(day, 0)}, partition_key=day)
    latest = DAYS.get_last_partition_key() or ""
    for day in sorted(rows.keys() - recorded_by_dagster):
        if f"{EARLIEST:%Y-%m-%d}" <= day <= latest:  # not that of a clock that was wrong
            context.log_event(
                dg.AssetMaterialization(mart.name, partition=day, metadata={"dagster/row_count": rows[day]})
            )
    return result


def _days_asked_for(context: dg.AssetExecutionContext) -> tuple[date, date] | None:
    """First and last day of a run that is for some."""
    if not (context.has_partition_key or context.has_partition_key_range):
        return None
    asked = context.partition_key_range
    return date.fromisoformat(asked.start), date.fromisoformat(asked.end)


def built(warehouse: Warehouse, mart: Relation, rows: int, *, seconds: float | None = None) -> dg.MaterializeResult:
    """What Dagster keeps of a build that has just been committed: row count, column schema and snapshot.

    Parameters
    ----------
    seconds : float, optional
        How long it took, where that is not how long the step took: builders may have been ahead of it.
    """
    found = warehouse.connection.execute(_COLUMNS, [mart.name]).fetchall()
    columns = [dg.TableColumn(name, type=kind, description=mart.columns.get(name)) for name, kind, _ in found]
    snapshot = found[0][2]
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": rows,
            "dagster/column_schema": dg.TableSchema(columns),
            **({"plumbline/build_seconds": seconds} if seconds is not None else {}),
            "plumbline/snapshot": snapshot,  # `AT (VERSION => n)` reads this build as long as snapshots are kept
        }
    )


def describe(relation: Relation) -> str:
    """The header as Markdown: what a row is, its rules, and every column with unit and formula."""
    columns = "\n".join(f"- `{name}`: {text}" for name, text in relation.columns.items())
    return "\n\n".join([*relation.notes, f"Grain: {relation.grain}.", columns])

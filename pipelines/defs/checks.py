"""The check that stands between `runs` and what depends on it: while it fails, those marts keep their last good rows."""

# No postponed annotations: Dagster reads the type of `context` as it is.

from datetime import datetime, timezone
from pathlib import Path

import dagster as dg
import duckdb

from pipelines.defs.assets import SNAPSHOT, SNAPSHOT_BEFORE
from pipelines.defs.expectations import Expectation, Finding, between, findings, not_null, row_count, unique
from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import RETRIES, only_when_busy
from pipelines.stages.normalise import AHEAD, EARLIEST
from warehouse import Warehouse

_QUERIES = Path(__file__).parent / "queries"
_COUNTS = (
    *("model_calls", "priced_model_calls", "failed_model_calls", "tool_calls", "tool_errors", "steps"),
    *("input_tokens", "cached_input_tokens", "output_tokens"),
)


@dg.asset_check(
    asset="runs",
    blocking=True,
    description=(
        "Great Expectations on every run: identity, ranges of counts, costs and times, and as many runs as the spans tell "
        "of. While it fails, what depends on runs is not rebuilt."
    ),
    retry_policy=RETRIES,
)
def runs_are_sound(context: dg.AssetCheckExecutionContext, lakehouse: Lakehouse) -> dg.AssetCheckResult:
    """Whether the mart `runs` can be built upon."""
    with only_when_busy():
        before, at = _snapshots(context.instance, lakehouse.warehouse)
        return _result(examine_runs(lakehouse.warehouse, before=before, at=at))


def examine_runs(warehouse: Warehouse, *, before: int, at: int) -> list[Finding]:
    """Findings on `runs` as it was committed in snapshot `at`, computed from what there was since snapshot `before`.

    The stream commits while a mart is computed, so the spans are counted at both ends: the runs must lie between.
    """
    least, most = (warehouse.query(_sql("runs_in_spans"), [snapshot]).item() for snapshot in (before, at))
    expectations = expected_of_runs(least, most, now=datetime.now(timezone.utc).replace(tzinfo=None))
    return findings(warehouse.query(_sql("checked_runs"), [at]), expectations, key="run_id")


def expected_of_runs(least: int, most: int, *, now: datetime) -> list[Expectation]:
    """What must hold for `runs`, when the spans tell of `least` to `most` of them; `now` in UTC without a zone."""
    return [
        not_null("run_id"),
        unique("run_id"),
        not_null("workflow"),
        row_count(least, most, "the distinct run_id of spans"),
        *(between(column, 0) for column in _COUNTS),
        between("cost_usd", 0),
        between("started_at", EARLIEST, now + AHEAD),  # the stream's own rule; it flags what breaks it
    ]


def _snapshots(instance: dg.DagsterInstance, warehouse: Warehouse) -> tuple[int, int]:
    """The snapshots around the last build of `runs`; the current one twice when they are unknown or expired."""
    event = instance.get_latest_materialization_event(dg.AssetKey("runs"))
    if event is not None and event.asset_materialization is not None:
        values = [event.asset_materialization.metadata.get(name) for name in (SNAPSHOT_BEFORE, SNAPSHOT)]
        before, at = (value.value if isinstance(value, dg.IntMetadataValue) else None for value in values)
        if before is not None and at is not None and _holds(warehouse, before) and _holds(warehouse, at):
            return before, at
    current = warehouse.query("SELECT id FROM ducklake_current_snapshot('lake')").item()
    return current, current


def _holds(warehouse: Warehouse, snapshot: int) -> bool:
    try:
        warehouse.query("SELECT 1 FROM spans AT (VERSION => ?) LIMIT 1", [snapshot])
    except duckdb.Error:
        return False
    return True


def _result(found: list[Finding]) -> dg.AssetCheckResult:
    failed = [finding for finding in found if not finding.passed]
    summary = "; ".join(f"{finding.rule} ({finding.observed})" for finding in failed)
    # A table, not Markdown: the UI shows its cells as the text they are, and examples come from traces.
    report = [
        dg.TableRecord(
            {
                "passed": finding.passed,
                "expected": finding.rule,
                "observed": finding.observed,
                "bad_rows": finding.bad_rows,
                "examples": finding.examples,
            }
        )
        for finding in sorted(found, key=lambda finding: finding.passed)
    ]
    schema = dg.TableSchema(
        [
            dg.TableColumn("passed", "bool"),
            dg.TableColumn("expected", "string"),
            dg.TableColumn("observed", "string"),
            dg.TableColumn("bad_rows", "int"),
            dg.TableColumn("examples", "string", "run_id of the first bad rows, with the value found"),
        ]
    )
    return dg.AssetCheckResult(
        passed=not failed,
        description=f"{len(failed)} of {len(found)} expectations broken: {summary}"
        if failed
        else f"all {len(found)} hold",
        metadata={
            "report": dg.MetadataValue.table(report, schema),
            "expectations": len(found),
            "broken": len(failed),
        },
    )


def _sql(name: str) -> str:
    return (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")

"""The checks: one stands between `runs` and what depends on it, one between the sums by day and the figures of cost, one warns.

While a blocking one fails, the marts behind it keep their last good rows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import duckdb

from pipelines.defs.expectations import Expectation, Finding, between, findings, not_null, row_count, total, unique
from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import RETRIES, only_when_busy
from pipelines.stages.normalise import AHEAD, EARLIEST
from warehouse import Warehouse, WarehouseError, marts

_QUERIES = Path(__file__).parent / "queries"
_COUNTS = (
    *("model_calls", "priced_model_calls", "failed_model_calls", "tool_calls", "tool_errors", "steps"),
    *("input_tokens", "cached_input_tokens", "output_tokens"),
)


#: Sums of the same costs in another order, in US dollars a day and workflow.
_SAME_USD = 1e-6
#: Share of a model's calls that have a price.
_PRICED = 0.95


@dataclass(frozen=True, slots=True)
class Totals:
    """What the spans add up to, as of one snapshot."""

    runs: int
    model_calls: int
    tool_calls: int


@dg.asset_check(
    asset="runs",
    blocking=True,
    description=(
        "Great Expectations on every run: identity, ranges of counts, costs and times, and no run or call lost from the "
        "spans or counted twice. While it fails, what depends on runs is not rebuilt."
    ),
    retry_policy=RETRIES,
)
def runs_are_sound(lakehouse: Lakehouse) -> dg.AssetCheckResult:
    """Whether the mart `runs` can be built upon."""
    with only_when_busy():
        return _noted(lakehouse.warehouse, "runs_are_sound", examine_runs(lakehouse.warehouse))


def examine_runs(warehouse: Warehouse) -> list[Finding]:
    """Findings on `runs` as it is.

    The stream commits while a mart is computed, so what the spans add up to is taken twice: as of the snapshot that the
    mart says it was computed from, and now. The runs must lie between. Runs of days that retention has deleted are as an
    earlier check found them.
    """
    since = marts.kept_since(warehouse, "runs")
    frame = warehouse.query(_sql("checked_runs"), [since, since])
    now = warehouse.query("SELECT id FROM ducklake_current_snapshot('lake')").item()
    least, most = (
        Totals(*warehouse.query(_sql("totals_of_spans"), [snapshot, since, since, since]).row(0))
        for snapshot in (_built_from(warehouse), now)
    )
    return findings(frame, expected_of_runs(least, most, now=datetime.now(UTC).replace(tzinfo=None)), key="run_id")


@dg.asset_check(
    asset="cost_by_day",
    blocking=True,
    description=(
        "Great Expectations on what each day adds up to: the same runs, successes and cost as the runs themselves, however they "
        "are parted. While it fails, the figures of cost are not rebuilt."
    ),
    retry_policy=RETRIES,
)
def cost_agrees_with_runs(lakehouse: Lakehouse) -> dg.AssetCheckResult:
    """Whether the mart `cost_by_day` can be built upon."""
    with only_when_busy():
        return _noted(lakehouse.warehouse, "cost_agrees_with_runs", examine_cost(lakehouse.warehouse))


def examine_cost(warehouse: Warehouse) -> list[Finding]:
    """Findings on `cost_by_day` beside `runs`, of the days that retention left whole."""
    since = marts.kept_since(warehouse, "cost_by_day")
    frame = warehouse.query(_sql("cost_beside_runs"), [since, since])
    counts = [between(name, 0, 0) for name in ("runs", "successes", "priced_runs")]
    return findings(frame, [*counts, between("cost_usd", 0, _SAME_USD)], key="place")


@dg.asset_check(
    asset="model_calls",
    description=(
        f"Great Expectations on the prices: of each model {_PRICED:.0%} of the calls or more have one, in the last 30 days. Only "
        "a warning: the figures say their coverage."
    ),
    retry_policy=RETRIES,
)
def prices_are_known(lakehouse: Lakehouse) -> dg.AssetCheckResult:
    """Whether the calls of every model have a price."""
    with only_when_busy():
        found = examine_prices(lakehouse.warehouse)
        return _noted(lakehouse.warehouse, "prices_are_known", found, dg.AssetCheckSeverity.WARN)


def examine_prices(warehouse: Warehouse) -> list[Finding]:
    """Findings on the price coverage of each model."""
    return findings(warehouse.query(_sql("price_coverage")), [between("coverage_ratio", _PRICED)], key="model")


def _built_from(warehouse: Warehouse) -> int:
    """The snapshot that `runs` was computed from, or one before it: `warehouse.marts.build` leaves it in the comment."""
    comment = warehouse.query(_sql("comment_on_runs")).item()
    found = re.search(r"\[snapshot (\d+)\]$", comment or "")
    if found is None:
        raise WarehouseError(
            "runs does not say which snapshot it was built from", "table runs", "run `plumbline refresh`"
        )
    return int(found[1])


def expected_of_runs(least: Totals, most: Totals, *, now: datetime) -> list[Expectation]:
    """What must hold for `runs`, when the spans add up to `least` to `most`; `now` in UTC without a zone."""
    return [
        not_null("run_id"),
        unique("run_id"),
        not_null("workflow"),
        row_count(least.runs, most.runs, "the distinct run_id of spans"),
        total("model_calls", least.model_calls, most.model_calls, "spans of kind model"),
        total("tool_calls", least.tool_calls, most.tool_calls, "spans of kind tool"),
        *(between(column, 0) for column in _COUNTS),
        between("cost_usd", 0),
        between("started_at", EARLIEST, now + AHEAD),  # the stream's own rule; it flags what breaks it
    ]


def _noted(
    warehouse: Warehouse,
    check: str,
    found: list[Finding],
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    """The result, written down for those who are told when a check fails."""
    result = _result(found, severity)
    note_result(
        warehouse,
        check,
        passed=result.passed,
        is_blocking=severity is dg.AssetCheckSeverity.ERROR,
        summary=result.description or "",
    )
    return result


def note_result(warehouse: Warehouse, check: str, *, passed: bool, is_blocking: bool, summary: str) -> None:
    """Put how a check came out in place of its last result; since when it is so stays, where it came out so before."""
    now = datetime.now(UTC).replace(tzinfo=None)

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        sql = "SELECT passed, since_at FROM check_results WHERE check_name = ?"
        before = connection.execute(sql, [check]).fetchone()
        since = before[1] if before and before[0] == passed else now
        connection.execute("DELETE FROM check_results WHERE check_name = ?", [check])
        connection.execute(
            "INSERT INTO check_results VALUES (?, ?, ?, ?, ?)", [check, passed, is_blocking, summary[:500], since]
        )

    warehouse.transaction(work)


def _result(found: list[Finding], severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR) -> dg.AssetCheckResult:
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
            dg.TableColumn("examples", "string", "the first bad rows, with the value found"),
        ]
    )
    return dg.AssetCheckResult(
        passed=not failed,
        severity=severity,
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

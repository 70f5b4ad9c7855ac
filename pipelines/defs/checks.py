"""The checks: one stands between `runs` and what depends on it, one between the sums by day and the figures of cost, one warns.

While a blocking one fails, the marts behind it keep their last good rows.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from pipelines.defs.check_pages import write_report
from pipelines.defs.expectations import Expectation, Finding, between, findings, not_null, row_count, total, unique
from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import RETRIES, only_when_busy
from pipelines.stages.normalise import AHEAD, EARLIEST
from warehouse import Warehouse, WarehouseError, incremental, marks, marts

_QUERIES = Path(__file__).parent / "queries"
_COUNTS = (
    *("model_calls", "priced_model_calls", "failed_model_calls", "tool_calls", "tool_errors", "steps"),
    *("input_tokens", "cached_input_tokens", "output_tokens"),
)


#: Sums of the same costs in another order, in US dollars a day and workflow.
_SAME_USD = 1e-6
#: Share of a model's calls that have a price.
_PRICED = 0.95

_RUNS = (
    "Great Expectations on the runs that changed since the check passed last, in a whole refresh on every run: identity, "
    "ranges of counts, costs and times, and no run or call lost from the spans or counted twice. While it fails, what depends "
    "on runs is not rebuilt."
)

_COST = (
    "Great Expectations on what each day adds up to: the same runs, successes and cost as the runs themselves, however they "
    "are parted. While it fails, the figures of cost are not rebuilt."
)

_PRICES = (
    f"Great Expectations on the prices: of each model {_PRICED:.0%} of the calls or more have one, in the last 30 days. Only "
    "a warning: the figures say their coverage."
)


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found, and in which snapshot; no findings where there was nothing to look at."""

    findings: list[Finding]
    snapshot: int


@dataclass(frozen=True, slots=True)
class Totals:
    """What the spans add up to, as of one snapshot."""

    runs: int
    model_calls: int
    tool_calls: int


@dg.asset_check(
    asset="runs",
    blocking=True,
    description=_RUNS,
    retry_policy=RETRIES,
)
def runs_are_sound(lakehouse: Lakehouse) -> dg.AssetCheckResult:
    """Whether the mart `runs` can be built upon."""
    since = None if lakehouse.whole else passed_at(lakehouse.warehouse, "runs_are_sound")
    return _checked(lakehouse, "runs_are_sound", _RUNS, lambda: examine_runs(lakehouse.warehouse, since))


def examine_runs(warehouse: Warehouse, since: int | None = None) -> Examined:
    """Findings on `runs` as it is; where it was sound at snapshot `since`, on the runs that changed after it.

    The stream commits while a mart is computed, so what the spans add up to is taken twice: as of the snapshot that the
    mart says it was computed from, and now. The runs must lie between. Runs of days that retention has deleted are as an
    earlier check found them.
    """
    connection = warehouse.connection
    built = _built_from(warehouse)
    try:
        with warehouse.reading() as now:
            affected, changes = None, marks.changes(warehouse, since, now) if since is not None else None
            if since is not None and changes is not None and "retention" not in changes.changed:
                affected = incremental.find_changed(connection, changes, {"runs", "spans"}, since, now)
            else:
                incremental.begin(connection)
            kept = {"since": marts.kept_since(warehouse, "runs"), "all": affected is None}
            frame = connection.execute(_sql("checked_runs"), kept).pl()
            kept["begin"] = affected.since if affected else None
            totals = {
                snapshot: Totals(*_row(connection, "totals_of_spans", {**kept, "snapshot": snapshot}))
                for snapshot in {min(built, now), now}
            }
    except incremental.FeedGone:
        return examine_runs(warehouse)
    finally:
        for table in incremental.MADE:
            connection.execute(f"DROP TABLE IF EXISTS {table}")
    rules = expected_of_runs(totals[min(built, now)], totals[now], now=datetime.now(UTC).replace(tzinfo=None))
    if affected is not None and frame.is_empty() and totals[now].runs == 0:
        return Examined([], now)
    return Examined(findings(frame, rules, key="run_id"), now)


@dg.asset_check(
    asset="cost_by_day",
    blocking=True,
    description=_COST,
    retry_policy=RETRIES,
)
def cost_agrees_with_runs(lakehouse: Lakehouse) -> dg.AssetCheckResult:
    """Whether the mart `cost_by_day` can be built upon."""
    return _checked(
        lakehouse, "cost_agrees_with_runs", _COST, lambda: examine_cost(lakehouse.warehouse), of={"runs", "cost_by_day"}
    )


def examine_cost(warehouse: Warehouse) -> Examined:
    """Findings on `cost_by_day` beside `runs`, of the days that retention left whole."""
    since = marts.kept_since(warehouse, "cost_by_day")
    with warehouse.reading() as now:
        frame = warehouse.query(_sql("cost_beside_runs"), [since, since])
    counts = [between(name, 0, 0) for name in ("runs", "successes", "priced_runs")]
    return Examined(findings(frame, [*counts, between("cost_usd", 0, _SAME_USD)], key="place"), now)


@dg.asset_check(
    asset="model_calls",
    description=_PRICES,
    retry_policy=RETRIES,
)
def prices_are_known(lakehouse: Lakehouse) -> dg.AssetCheckResult:
    """Whether the calls of every model have a price."""
    return _checked(
        lakehouse,
        "prices_are_known",
        _PRICES,
        lambda: examine_prices(lakehouse.warehouse),
        of={"model_calls"},
        severity=dg.AssetCheckSeverity.WARN,
    )


def examine_prices(warehouse: Warehouse) -> Examined:
    """Findings on the price coverage of each model."""
    with warehouse.reading() as now:
        frame = warehouse.query(_sql("price_coverage"))
    return Examined(findings(frame, [between("coverage_ratio", _PRICED)], key="model"), now)


def passed_at(warehouse: Warehouse, check: str) -> int | None:
    """Snapshot at which a check passed when it was made last; None where it did not, or that is not known any more."""
    said = marks.left(warehouse, _message(check))
    return int(said["snapshot"]) if said.get("passed") else None


def _message(check: str) -> str:
    return f"check {check}"


def _built_from(warehouse: Warehouse) -> int:
    """The snapshot that `runs` was computed from, or a later one of which it would be the same."""
    found = marts.built_from(warehouse, "runs")
    if found is None:
        raise WarehouseError("runs is not built by this version", "table runs", "run `plumbline refresh`")
    return found


def _row(connection: duckdb.DuckDBPyConnection, query: str, params: dict[str, Any]) -> tuple[Any, ...]:
    row = connection.execute(_sql(query), params).fetchone()
    assert row is not None, "an aggregate has one row"
    return row


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


def _checked(
    lakehouse: Lakehouse,
    check: str,
    description: str,
    examine: Callable[[], Examined],
    *,
    of: Set[str] = frozenset(),
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    """The result, written down for those who are told when a check fails; what passed and is unchanged is not examined again."""
    warehouse = lakehouse.warehouse
    with only_when_busy():
        since = None if lakehouse.whole or not of else passed_at(warehouse, check)
        if since is not None and _is_unchanged(warehouse, of, since):
            return _as_before(severity)
        examined = examine()
        if not examined.findings:
            return _as_before(severity)
        is_blocking = severity is dg.AssetCheckSeverity.ERROR
        now = datetime.now(UTC).replace(tzinfo=None)
        report = write_report(
            lakehouse.directory.parent,
            check,
            examined.findings,
            description=description,
            is_blocking=is_blocking,
            at=now,
            snapshot=examined.snapshot,
        )
        result = _result(examined.findings, severity, report)
        note_result(
            warehouse,
            check,
            passed=result.passed,
            is_blocking=is_blocking,
            summary=result.description or "",
            snapshot=examined.snapshot,
        )
        return result


def _is_unchanged(warehouse: Warehouse, tables: Set[str], since: int) -> bool:
    now = warehouse.query("SELECT id FROM ducklake_current_snapshot('lake')").item()
    changes = marks.changes(warehouse, since, now)
    return changes is not None and not changes.changed & {*tables, "retention"}


def _as_before(severity: dg.AssetCheckSeverity) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=True, severity=severity, description="it passed, and nothing that it looks at has changed since"
    )


def note_result(
    warehouse: Warehouse, check: str, *, passed: bool, is_blocking: bool, summary: str, snapshot: int = 0
) -> None:
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
        marks.leave(connection, _message(check), {"passed": passed, "snapshot": snapshot})

    warehouse.transaction(work)


def _result(found: list[Finding], severity: dg.AssetCheckSeverity, page: Path) -> dg.AssetCheckResult:
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
            "page": dg.MetadataValue.path(str(page)),
            "expectations": len(found),
            "broken": len(failed),
        },
    )


def _sql(name: str) -> str:
    return (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")

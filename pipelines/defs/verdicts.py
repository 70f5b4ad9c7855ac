"""From a check's findings to what Dagster shows, the page for people, and the row in `check_results` for those who are told.

A check that passed says at which snapshot: what has not changed since need not be looked at again (`passed_at`).
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import duckdb

from pipelines.defs.check_pages import write_report
from pipelines.defs.expectations import Finding
from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import only_when_busy
from warehouse import Warehouse, marks


@dataclass(frozen=True, slots=True)
class Examined:
    """What was found, and in which snapshot; no findings where there was nothing to look at."""

    findings: list[Finding]
    snapshot: int


def checked(
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
        is_unchanged = since is not None and _is_unchanged(warehouse, of, since)
        examined = None if is_unchanged else examine()
        if examined is None or not examined.findings:
            lakehouse.release(check)
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
        if result.passed:
            lakehouse.release(check)
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


def is_counted(lakehouse: Lakehouse, check: str) -> bool:
    """Whether a check may be counted (`pipelines.defs.counting`): it has been made before, and this is no whole refresh."""
    return not lakehouse.whole and bool(marks.left(lakehouse.warehouse, _message(check)))


def passed_at(warehouse: Warehouse, check: str) -> int | None:
    """Snapshot at which a check passed when it was made last; None where it did not, or that is not known any more."""
    said = marks.left(warehouse, _message(check))
    return int(said["snapshot"]) if said.get("passed") else None


def _message(check: str) -> str:
    return f"check {check}"

"""The check that every figure stands on: the runs are whole, each once, and cost nothing less than nothing.

It blocks: when it fails, no mart that reads the runs is built anew, and the dashboards keep the last good figures. The rules
are Great Expectations', evaluated on pandas. Importing it takes seconds and 260 MB, so only a running check does.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from pipelines.defs.home import Home
from warehouse import Warehouse, WarehouseError

if TYPE_CHECKING:
    import pandas as pd

_ODD = re.compile(r"[^\w .:+-]")
QUERIES = Path(__file__).parent / "queries"


@dg.asset_check(
    asset="runs",
    blocking=True,
    description="Every run once, with a workflow and a start; no cost below zero; no run or model call lost from the spans.",
)
def runs_are_sound(home: Home) -> dg.AssetCheckResult:
    """Pass if every expectation on ``runs`` holds; what depends on it waits otherwise."""
    with home.reader() as warehouse:
        runs = warehouse.query(_statement("runs_figures")).to_pandas()
        reconciled = warehouse.query(
            _statement("runs_reconciled").replace("{snapshot}", str(_snapshot(warehouse)))
        ).to_pandas()
    findings = [*_findings("runs", runs, _run_rules()), *_findings("spans to runs", reconciled, _reconciliation_rules())]
    failed = [finding for finding in findings if not finding["holds"]]
    return dg.AssetCheckResult(
        passed=not failed,
        metadata={
            "rows": len(runs),
            "failed_expectations": len(failed),
            "report": dg.MetadataValue.md(_report(findings)),
        },
        description="; ".join(f"{finding['rule']}: {finding['unexpected']} rows" for finding in failed) or None,
    )


def _run_rules() -> list[Any]:
    from great_expectations import expectations as expect

    costs = ("model_cost_usd", "tool_cost_usd", "escalation_cost_usd", "cost_usd")
    return [
        *(expect.ExpectColumnValuesToNotBeNull(column=name) for name in ("run_id", "workflow", "is_pending")),
        expect.ExpectColumnValuesToBeUnique(column="run_id"),
        # Null is allowed: an unknown cost is no cost of zero.
        *(expect.ExpectColumnValuesToBeBetween(column=name, min_value=0) for name in costs),
    ]


def _reconciliation_rules() -> list[Any]:
    from great_expectations import expectations as expect

    figures = ("runs_lost", "runs_invented", "model_calls_lost", "model_calls_invented")
    return [expect.ExpectColumnValuesToBeBetween(column=name, min_value=0, max_value=0) for name in figures]


def _findings(name: str, frame: pd.DataFrame, rules: list[Any]) -> list[dict[str, Any]]:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when it is imported; nothing may report home
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")  # in memory: no project directory is written
    context.variables.progress_bars = {"globally": False}  # pyright: ignore[reportAttributeAccessIssue]
    asset = context.data_sources.add_pandas("warehouse").add_dataframe_asset(name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    result = batch.validate(gx.ExpectationSuite(name=name, expectations=rules))
    return [
        {
            "data": name,
            "rule": f"{one.expectation_config.type.removeprefix('expect_')} ({one.expectation_config.kwargs['column']})",
            "holds": bool(one.success),
            "unexpected": one.result.get("unexpected_count", "?"),
            "examples": [str(value) for value in one.result.get("partial_unexpected_list", [])[:5]],
        }
        for one in result.results
    ]


def _report(findings: list[dict[str, Any]]) -> str:
    """Markdown table; values come from traces, so they are kept short and cannot close the code span."""
    lines = ["| data | expectation | holds | rows against it | examples |", "|---|---|---|---|---|"]
    for finding in findings:
        examples = ", ".join(f"`{_ODD.sub('?', value)[:40]}`" for value in finding["examples"])
        holds = "yes" if finding["holds"] else "**no**"
        lines.append(f"| {finding['data']} | {finding['rule']} | {holds} | {finding['unexpected']} | {examples} |")
    return "\n".join(lines)


def _snapshot(warehouse: Warehouse) -> int:
    row = warehouse.query(
        "SELECT comment FROM duckdb_tables() WHERE database_name = 'lake' AND table_name = 'runs'"
    )["comment"].to_list()
    found = re.search(r"\[snapshot (\d+)\]$", row[0] or "") if row else None
    if found is None:
        raise WarehouseError("runs does not say which snapshot it was built from", "table runs", "run `plumbline refresh`")
    return int(found[1])


def _statement(name: str) -> str:
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8")

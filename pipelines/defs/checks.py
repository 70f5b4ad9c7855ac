"""The checks: one stands between `runs` and what depends on it, one between the sums by day and the figures of cost, one warns.

While a blocking one fails, the marts behind it keep their last good rows. Great Expectations makes them in a whole refresh and
the first time; between these Polars counts the same.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from pipelines.defs.assets import FIRST, priority
from pipelines.defs.counting import counted
from pipelines.defs.expectations import Expectation, Finding, between, findings, not_null, row_count, total, unique
from pipelines.defs.lakehouse import Lakehouse
from pipelines.defs.retrying import RETRIES
from pipelines.defs.verdicts import Examined, checked, is_counted, passed_at
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

#: `findings` or `counted`.
_Findings = Callable[..., list[Finding]]

_RUNS = (
    "Great Expectations on every run in a whole refresh, between these a count of the same on the runs that changed: identity, "
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
    op_tags=priority(FIRST),
)
def runs_are_sound(lakehouse: Lakehouse) -> dg.AssetCheckResult:
    """Whether the mart `runs` can be built upon."""
    since = None if lakehouse.whole else passed_at(lakehouse.warehouse, "runs_are_sound")
    how = _how(lakehouse, "runs_are_sound")
    return checked(lakehouse, "runs_are_sound", _RUNS, lambda: examine_runs(lakehouse.warehouse, since, how=how))


def _how(lakehouse: Lakehouse, check: str) -> _Findings:
    return counted if is_counted(lakehouse, check) else findings


def examine_runs(warehouse: Warehouse, since: int | None = None, *, how: _Findings = findings) -> Examined:
    """Findings on `runs` as it is; where it was sound at snapshot `since`, on the runs that changed after it.

    The stream commits while a mart is computed, so what the spans add up to is taken twice: as of the snapshot that the
    mart says it was computed from, and now. The runs must lie between. Runs of days that retention has deleted are as an
    earlier check found them.
    """
    connection = warehouse.connection
    built = _built_from(warehouse)
    try:
        with warehouse.reading() as now, nullcontext() if since is not None else warehouse.on_all_threads():
            affected, changes = None, marks.changes(warehouse, since, now) if since is not None else None
            if since is not None and changes is not None and "retention" not in changes.changed:
                affected = incremental.find_changed(warehouse, changes, {"runs", "spans"}, since, now)
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
        return examine_runs(warehouse, how=how)
    finally:
        for table in incremental.MADE:
            connection.execute(f"DROP TABLE IF EXISTS {table}")
    rules = expected_of_runs(totals[min(built, now)], totals[now], now=datetime.now(UTC).replace(tzinfo=None))
    if affected is not None and frame.is_empty() and totals[now].runs == 0:
        return Examined([], now)
    return Examined(how(frame, rules, key="run_id"), now)


@dg.asset_check(
    asset="cost_by_day",
    blocking=True,
    description=_COST,
    retry_policy=RETRIES,
    op_tags=priority(FIRST),
)
def cost_agrees_with_runs(lakehouse: Lakehouse) -> dg.AssetCheckResult:
    """Whether the mart `cost_by_day` can be built upon."""
    name = "cost_agrees_with_runs"
    how = _how(lakehouse, name)
    return checked(
        lakehouse, name, _COST, lambda: examine_cost(lakehouse.warehouse, how=how), of={"runs", "cost_by_day"}
    )


def examine_cost(warehouse: Warehouse, *, how: _Findings = findings) -> Examined:
    """Findings on `cost_by_day` beside `runs`, of the days that retention left whole."""
    since = marts.kept_since(warehouse, "cost_by_day")
    with warehouse.reading() as now:
        frame = warehouse.query(_sql("cost_beside_runs"), [since, since])
    counts = [between(name, 0, 0) for name in ("runs", "successes", "priced_runs")]
    return Examined(how(frame, [*counts, between("cost_usd", 0, _SAME_USD)], key="place"), now)


@dg.asset_check(
    asset="model_calls",
    description=_PRICES,
    retry_policy=RETRIES,
    op_tags=priority(FIRST),
)
def prices_are_known(lakehouse: Lakehouse) -> dg.AssetCheckResult:
    """Whether the calls of every model have a price."""
    return checked(
        lakehouse,
        "prices_are_known",
        _PRICES,
        lambda: examine_prices(lakehouse.warehouse, how=_how(lakehouse, "prices_are_known")),
        of={"model_calls"},
        severity=dg.AssetCheckSeverity.WARN,
    )


def examine_prices(warehouse: Warehouse, *, how: _Findings = findings) -> Examined:
    """Findings on the price coverage of each model."""
    with warehouse.reading() as now:
        frame = warehouse.query(_sql("price_coverage"))
    return Examined(how(frame, [between("coverage_ratio", _PRICED)], key="model"), now)


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


def _sql(name: str) -> str:
    return (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")

"""How each budget of the catalog stands, month by month: what `plumbline refresh` keeps in table ``budgets_monthly``.

Between the warehouse, which adds up the runs, and `economics`, which says what follows from that.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import duckdb
import numpy as np
import polars as pl

from pipelines.alerts.incidents import digest
from warehouse import Warehouse
from warehouse.economics.budgets import RUNGS, Budget, status
from warehouse.queries import sql

TABLE = "budgets_monthly"
#: From this burn rate on, over both windows, a budget burns.
BURNING = 2.0

_COLUMNS: dict[str, pl.DataType] = {
    **dict.fromkeys(("scope", "name"), pl.String()),
    "month": pl.Date(),
    **dict.fromkeys(("budget_usd", "spent_usd", "coverage_ratio", "used_ratio"), pl.Float64()),
    **dict.fromkeys(("passed_50_on", "passed_80_on", "passed_100_on"), pl.Date()),
    **dict.fromkeys(("burn_1d", "burn_7d"), pl.Float64()),
    "is_burning": pl.Boolean(),
    **dict.fromkeys(("landing_usd", "landing_low_usd", "landing_high_usd"), pl.Float64()),
    "backtest_forecasts": pl.Int32(),
    **dict.fromkeys(("backtest_error_ratio", "backtest_covered_ratio"), pl.Float64()),
    "as_of": pl.Date(),
}


def write_budgets(warehouse: Warehouse) -> int:
    """Rows of ``budgets_monthly``, computed from `runs` as it is and put in place of the old ones, and the rungs that are new."""
    found = budgets_by_month(warehouse)
    now = datetime.now(UTC).replace(tzinfo=None)
    events = passed_rungs(found).with_columns(noted_at=pl.lit(now))

    def replace(connection: duckdb.DuckDBPyConnection) -> int:
        # Months without a run any more (retention) stay as they were.
        connection.register("fresh_budgets", found.select("scope", "name", "month").to_arrow())
        try:
            connection.execute(
                "DELETE FROM budgets_monthly USING fresh_budgets AS f WHERE budgets_monthly.scope = f.scope "
                "AND budgets_monthly.name = f.name AND budgets_monthly.month = f.month"
            )
        finally:
            connection.unregister("fresh_budgets")
        known = connection.execute("SELECT event_id FROM budget_events").pl()
        warehouse.insert(connection, "budget_events", events.join(known, on="event_id", how="anti"))
        return warehouse.insert(connection, TABLE, found.with_columns(computed_at=pl.lit(now)))

    return warehouse.transaction(replace)


def budgets_by_month(warehouse: Warehouse) -> pl.DataFrame:
    """The columns of ``budgets_monthly`` but when they were computed, by scope, name and month."""
    budgets = warehouse.query("SELECT scope, name, budget_usd_per_month FROM catalog_budgets ORDER BY ALL")
    if budgets.is_empty():  # all runs need not be added up for none
        return pl.DataFrame(schema=_COLUMNS)
    spend = warehouse.query(sql("spend_by_day"))
    today = spend["date"].max()
    if today is None:
        return pl.DataFrame(schema=_COLUMNS)
    assert isinstance(today, date)
    by_name = spend.partition_by("scope", "name", as_dict=True)
    rows = [
        row
        for scope, name, budget in budgets.iter_rows()
        if (scope, name) in by_name
        for row in _months(scope, name, budget, by_name[scope, name], today)
    ]
    return pl.DataFrame(rows, schema=_COLUMNS, orient="row")


def _months(scope: str, name: str, budget: float, spend: pl.DataFrame, today: date) -> list[dict[str, Any]]:
    first: date = spend["date"][0]
    calendar = pl.DataFrame({"date": pl.date_range(first, today, eager=True)}).join(
        spend, on="date", how="left", maintain_order="left"
    )
    days = calendar["cost_usd"].fill_null(0.0).to_numpy().astype(np.float64)
    months = calendar.group_by(month=pl.col("date").dt.month_start(), maintain_order=True).agg(
        pl.col("cost_usd").count().alias("known"), pl.col("priced_runs").sum(), pl.col("runs").sum()
    )
    rows: list[dict[str, Any]] = []
    for month, known, priced, runs in months.iter_rows():
        found = status(days, first, month, budget, today)
        common = {"scope": scope, "name": name, "month": month, "budget_usd": budget, "as_of": today}
        coverage = priced / runs if runs else None
        # A spend of which nothing is known is not 0, and says nothing of the month's end.
        rows.append({**common, "coverage_ratio": coverage, **(_told(found) if known else {})})
    return rows


def _told(found: Budget) -> dict[str, Any]:
    daily, weekly = found.burn[1], found.burn[7]
    judged = found.judged
    return {
        "spent_usd": found.spent,
        "used_ratio": found.used,
        **{f"passed_{rung * 100:.0f}_on": found.passed.get(rung) for rung in RUNGS},
        "burn_1d": daily,
        "burn_7d": weekly,
        "is_burning": None if daily is None or weekly is None else min(daily, weekly) >= BURNING,
        "landing_usd": found.landing,
        "landing_low_usd": found.low,
        "landing_high_usd": found.high,
        "backtest_forecasts": judged.forecasts if judged else 0,
        "backtest_error_ratio": judged.error if judged else None,
        "backtest_covered_ratio": judged.covered if judged else None,
    }


def passed_rungs(budgets: pl.DataFrame) -> pl.DataFrame:
    """The rungs passed, as rows of ``budget_events`` but when they were noted: an id says scope, name, month and rung."""
    rows = [
        {
            "event_id": digest("budget", row["scope"], row["name"], row["month"].isoformat(), rung),
            **{name: row[name] for name in ("scope", "name", "month", "spent_usd", "budget_usd")},
            "rung": rung,
            "passed_on": row[f"passed_{rung * 100:.0f}_on"],
        }
        for row in budgets.iter_rows(named=True)
        for rung in RUNGS
        if row[f"passed_{rung * 100:.0f}_on"] is not None
    ]
    schema = {"event_id": pl.String, **{name: _COLUMNS[name] for name in ("scope", "name", "month", "spent_usd")}}
    return pl.DataFrame(
        rows, schema={**schema, "budget_usd": pl.Float64, "rung": pl.Float64, "passed_on": pl.Date}, orient="row"
    )

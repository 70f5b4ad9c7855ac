"""Price stored calls again, at the prices in force when they ran as catalog and installed list have them: a day, a transaction.

After `pipelines.stages.price`, which is the only place that prices; what a price was before stays in table ``repriced_calls``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import duckdb
import polars as pl

from pipelines.stages.price import price
from pipelines.stages.rates import Rates, read_rates
from warehouse import Warehouse
from warehouse.queries import sql

#: Costs closer than this, in US dollars, are the same: sums of the same products in another order.
_SAME_USD = 1e-12


@dataclass(frozen=True, slots=True)
class Repriced:
    """What a backfill did.

    Attributes
    ----------
    calls : int
        Model calls looked at.
    changed : int
        Those whose price or cost is another one now.
    kept : int
        Those with a price that the list does not know any more: they keep theirs.
    difference_usd : float
        New less old cost of the changed ones that had one, in US dollars.
    """

    calls: int = 0
    changed: int = 0
    kept: int = 0
    difference_usd: float = 0.0

    def plus(self, other: Repriced) -> Repriced:
        """Return the sum of both."""
        return Repriced(
            self.calls + other.calls,
            self.changed + other.changed,
            self.kept + other.kept,
            self.difference_usd + other.difference_usd,
        )


def backfill_prices(warehouse: Warehouse, since: date) -> Repriced:
    """Price again all calls that started on the day `since` (UTC) or later; a second run changes nothing."""
    days = warehouse.query(
        "SELECT DISTINCT started_at::DATE AS day FROM spans WHERE kind = 'model' AND started_at >= ? ORDER BY day",
        [since],
    )["day"]
    rates = read_rates(warehouse.query)
    found = Repriced()
    for day in days:
        found = found.plus(warehouse.transaction(lambda connection, day=day: _day(warehouse, connection, day, rates)))
    return found


def _day(warehouse: Warehouse, connection: duckdb.DuckDBPyConnection, day: date, rates: Rates) -> Repriced:
    stored = connection.execute(sql("calls_of_day"), {"day": day, "next": day + timedelta(days=1)}).pl()
    priced, prices = price(stored, rates)
    known, had = pl.col("price_id").is_not_null(), pl.col("old_price_id").is_not_null()
    same = (pl.col("price_id") == pl.col("old_price_id")) & (
        (pl.col("cost_usd") - pl.col("old_cost_usd")).abs() <= _SAME_USD
    )
    changed = priced.filter(known & ~same.fill_null(False)).select(
        *("trace_id", "span_id", "started_at", "old_price_id", "old_cost_usd"),
        new_price_id="price_id",
        new_cost_usd="cost_usd",
        repriced_at=pl.lit(datetime.now(UTC).replace(tzinfo=None)),
    )
    if len(changed):
        connection.register("repriced", changed.to_arrow())
        try:
            connection.execute(sql("reprice_spans"))
        finally:
            connection.unregister("repriced")
        warehouse.insert(connection, "repriced_calls", changed)
        listed = connection.execute("SELECT price_id FROM price_list").pl()
        warehouse.insert(connection, "price_list", prices.join(listed, on="price_id", how="anti"))
    difference = (changed["new_cost_usd"] - changed["old_cost_usd"]).sum()
    return Repriced(len(stored), len(changed), priced.filter(had & ~known).height, float(difference))

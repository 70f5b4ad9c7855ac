"""Re-pricing: what changes, what stays, and that the old price can be traced."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.billing.backfill import Repriced, backfill_prices
from pipelines.cli import main
from warehouse import Warehouse

CALL: dict[str, Any] = {
    "trace_id": "a" * 32,
    "run_id": "a" * 32,
    "workflow": "desk",
    "kind": "model",
    "provider": "openai",
    "request_model": "gpt-4.1",
    "input_tokens": 1_000_000,
    "output_tokens": 0,
}
CALLS = [
    {**CALL, "span_id": "old", "started_at": datetime(2026, 8, 1), "cost_usd": 9.0, "price_id": "before"},
    {**CALL, "span_id": "stale", "started_at": datetime(2026, 8, 3), "cost_usd": 9.0, "price_id": "before"},
    {**CALL, "span_id": "unpriced", "started_at": datetime(2026, 8, 4), "cost_usd": None, "price_id": None},
    {
        **CALL,
        "span_id": "gone",
        "request_model": "house-model",
        "started_at": datetime(2026, 8, 4),
        "cost_usd": 5.0,
        "price_id": "house",
    },
    {**CALL, "span_id": "tool", "kind": "tool", "started_at": datetime(2026, 8, 4), "cost_usd": None, "price_id": None},
]
SPANS = "SELECT span_id, cost_usd, price_id FROM spans ORDER BY span_id"


def filled(path: Path) -> Warehouse:
    warehouse = Warehouse.open(path)
    frame = pl.DataFrame(CALLS, infer_schema_length=None)
    warehouse.transaction(lambda connection: warehouse.insert(connection, "spans", frame))
    return warehouse


def test_calls_since_the_day_get_the_price_of_their_day_and_the_old_one_stays_traceable(tmp_path: Path) -> None:
    with filled(tmp_path / "warehouse") as warehouse:
        assert backfill_prices(warehouse, date(2026, 8, 2)) == Repriced(calls=3, changed=2, kept=1, difference_usd=-7.0)
        spans = {name: (cost, price) for name, cost, price in warehouse.query(SPANS).rows()}
        listed = warehouse.query("SELECT price_id, input_usd_per_mtok FROM price_list").rows()
        changes = warehouse.query(
            "SELECT span_id, started_at, old_price_id, old_cost_usd, new_price_id, new_cost_usd FROM repriced_calls "
            "ORDER BY span_id"
        ).rows()
    ((identity, rate),) = listed
    assert rate == 2.0
    assert spans == {
        "old": (9.0, "before"),
        "stale": (2.0, identity),
        "unpriced": (2.0, identity),
        "gone": (5.0, "house"),
        "tool": (None, None),
    }
    assert changes == [
        ("stale", datetime(2026, 8, 3), "before", 9.0, identity, 2.0),
        ("unpriced", datetime(2026, 8, 4), None, None, identity, 2.0),
    ]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    with filled(tmp_path / "warehouse") as warehouse:
        backfill_prices(warehouse, date(2026, 1, 1))
        before = [warehouse.query(query).rows() for query in (SPANS, "FROM repriced_calls", "FROM price_list")]
        assert backfill_prices(warehouse, date(2026, 1, 1)) == Repriced(calls=4, changed=0, kept=1)
        assert [warehouse.query(query).rows() for query in (SPANS, "FROM repriced_calls", "FROM price_list")] == before


def test_the_command_says_what_it_did_and_refuses_what_is_no_day(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path / "warehouse").close()
    assert main(["--home", str(tmp_path), "backfill", "prices", "--since", "2026-08-02"]) == 0
    assert "3 calls: 2 priced anew (-7.000000 US dollars" in capfd.readouterr().out
    assert main(["--home", str(tmp_path), "backfill", "prices", "--since", "last week"]) == 1
    assert "no day 'last week' (--since)" in capfd.readouterr().err


def test_what_the_catalog_agreed_since_prices_the_calls_it_holds_for(tmp_path: Path) -> None:
    agreed = [
        {"model": "gpt-4.1", "effective_at": datetime(2026, 8, 3), "list_price_ratio": 0.5, "currency": "USD"},
        {
            "model": "house-model",
            "effective_at": datetime(2026, 8, 1),
            "currency": "EUR",
            "input_per_mtok": 3.0,
            "output_per_mtok": 4.0,
        },
    ]
    euro = [{"currency": "EUR", "effective_at": datetime(2026, 1, 1), "usd_per_unit": 1.5}]
    with filled(tmp_path / "warehouse") as warehouse:

        def declare(connection: Any) -> None:
            warehouse.insert(connection, "catalog_prices", pl.DataFrame(agreed, infer_schema_length=None))
            warehouse.insert(connection, "catalog_currencies", pl.DataFrame(euro))

        warehouse.transaction(declare)
        assert backfill_prices(warehouse, date(2026, 8, 1)) == Repriced(4, changed=4, kept=0, difference_usd=-15.5)
        costs = {name: cost for name, cost, _ in warehouse.query(SPANS).rows()}
    assert costs == {"old": 2.0, "stale": 1.0, "unpriced": 1.0, "gone": 4.5, "tool": None}

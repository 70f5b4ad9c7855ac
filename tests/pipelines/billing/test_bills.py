"""Bills: what is read of a file, what is refused and where, and which reason each difference from the traces gets."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from pipelines.billing.bills import import_bill, read_bill
from pipelines.cli import main
from pipelines.errors import TerminalError
from tests.pipelines.otlp import request, span
from warehouse import Warehouse

HEADER = "ProviderName,BillingPeriodStart,ChargePeriodStart,BilledCost,BillingCurrency,SubAccountId,x_Model\n"
START = int(datetime(2026, 8, 29, 12, tzinfo=UTC).timestamp()) * 10**9


def line(
    model: str = "gpt-4.1", cost: str = "1", day: str = "2026-08-29", currency: str = "USD", account: str = ""
) -> str:
    return f"OpenAI,2026-08-01T00:00:00Z,{day}T00:00:00Z,{cost},{currency},{account},{model}\n"


def bill(folder: Path, *lines: str) -> Path:
    file = folder / "bill.csv"
    file.write_text(HEADER + "".join(lines), encoding="utf-8")
    return file


def test_the_sample_of_the_specification_loads_whole(shared_data: Path) -> None:
    lines = read_bill(shared_data / "focus" / "focus_sample.csv", "ServiceName")
    assert len(lines) == 1000
    assert lines["billed_cost"].sum() == pytest.approx(20.520227, abs=1e-6)
    assert set(lines["billing_period"]) == {date(2024, 9, 1), date(2024, 10, 1)}
    assert lines["file_row"].to_list() == list(range(2, 1002))
    first = lines.row(0, named=True)
    assert (first["provider"], first["account"], first["day"]) == ("AWS", "51738928782", date(2024, 9, 18))
    assert first["model"] == "Amazon Simple Queue Service"


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (line() + line(cost="=1+1"), "'=1+1' in column BilledCost"),
        (line() + line(cost=""), "nothing in column BilledCost"),
        (line() + line(cost="nan"), "'nan' in column BilledCost"),
        (line() + line(cost="1e999"), "'1e999' in column BilledCost"),
        (line() + line(day="29/08/26"), "in column ChargePeriodStart"),
        (line() + line(currency="dollars"), "'dollars' in column BillingCurrency"),
    ],
)
def test_a_cell_that_is_not_what_its_column_asks_for_is_named_by_row_and_column(
    tmp_path: Path, lines: str, says: str
) -> None:
    with pytest.raises(TerminalError) as caught:
        read_bill(bill(tmp_path, lines))
    assert says in str(caught.value)
    assert "bill.csv:3" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no CSV table"),
        (b"\xff\xfe\x00\x01,\n\xff", ""),
        (b"a,b\n1,2\n", "no column ProviderName, BillingPeriodStart"),
        (HEADER.encode(), "no lines"),
        ((HEADER + line().strip() + ",more,cells\n").encode(), "no CSV table"),
    ],
)
def test_a_file_that_is_no_bill_is_one_clear_line(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "bill.csv").write_bytes(content)
    with pytest.raises(TerminalError) as caught:
        read_bill(tmp_path / "bill.csv")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bill_takes_the_place_of_the_one_before_and_of_no_other(tmp_path: Path) -> None:
    other = "Other,2026-08-01T00:00:00Z,2026-08-02T00:00:00Z,7,USD,,m\n"
    with Warehouse.open(tmp_path / "warehouse") as warehouse:
        assert import_bill(warehouse, read_bill(bill(tmp_path, line(), line(), other))) == 0
        assert import_bill(warehouse, read_bill(bill(tmp_path, line(cost="5")))) == 2
        stored = warehouse.query("SELECT provider, billed_cost FROM bill_lines ORDER BY ALL").rows()
    assert stored == [("OpenAI", 5.0), ("Other", 7.0)]


def test_each_difference_has_its_reason(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    calls = [
        # model, input tokens: gpt-4.1 is 2 US dollars per million of them
        (model, tokens, account)
        for account, model, tokens in (
            ("exact", "gpt-4.1", 500_000),
            ("cents", "gpt-4.1", 500_000),
            ("more", "gpt-4.1", 500_000),
            ("silent", "gpt-4.1", 500_000),
            ("house", "house-model", 10),
        )
    ]
    spans = [
        span(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.workflow.name": "desk",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": model,
                "gen_ai.usage.input_tokens": tokens,
                "gen_ai.usage.output_tokens": 0,
                "plumbline.cost_center": account,
            },
            trace_id=f"{number:032x}",
            span_id=f"{number:016x}",
            parent="",
            start_ns=START,
            end_ns=START + 10**9,
        )
        for number, (model, tokens, account) in enumerate(calls, 1)
    ]
    (tmp_path / "calls.jsonl").write_text(json.dumps(request(*spans)) + "\n")
    file = bill(
        tmp_path,
        line(account="exact"),
        line(account="cents", cost="1.004"),
        line(account="more", cost="3"),
        line("house-model", "2", account="house"),
        line(account="nobody", cost="4"),
        line(account="exact", cost="9", currency="EUR"),
        line("", "8", account="exact"),
    )
    home = ("--home", str(tmp_path / "home"))
    for arguments in (
        ("stream", "--source", "files", "--files", str(tmp_path / "calls.jsonl"), "--until-end"),
        ("refresh",),
        ("import", "focus", str(file)),
    ):
        assert main([*home, *arguments]) == 0
    capfd.readouterr()
    assert main([*home, "reconcile", "--month", "2026-08", "--format", "json"]) == 0
    found = {row["account"]: row for row in json.loads(capfd.readouterr().out)}
    assert {name: row["reason"] for name, row in found.items()} == {
        "exact": "agrees",
        "cents": "rounding",
        "more": "other",
        "silent": "not billed",
        "house": "unpriced",
        "nobody": "missing traces",
    }
    assert {name: round(row["difference_usd"], 9) for name, row in found.items()} == {
        "exact": 0.0,
        "cents": 0.004,
        "more": 2.0,
        "silent": -1.0,
        "house": 2.0,
        "nobody": 4.0,
    }
    assert (found["house"]["traced_usd"], found["silent"]["billed_usd"]) == (None, None)
    assert main([*home, "reconcile", "--month", "2026-08"]) == 0
    told = capfd.readouterr().out
    assert "not compared: 1 lines, 9.000000 EUR; 1 of them name a model" in told
    assert "not compared: 1 lines, 8.000000 USD; 0 of them name a model" in told
    assert main([*home, "reconcile", "--month", "2026-07"]) == 1
    assert "no bill (2026-07)" in capfd.readouterr().err
    rates = (
        "{ currency: EUR, effective_at: 2026-08-01, usd_per_unit: 1.1 }",
        "{ currency: EUR, effective_at: 2026-09-01, usd_per_unit: 2 }",
    )
    (tmp_path / "catalog.yaml").write_text(f"currencies: [{', '.join(rates)}]")
    assert main([*home, "refresh", "--catalog", str(tmp_path / "catalog.yaml")]) == 0
    capfd.readouterr()
    assert main([*home, "reconcile", "--month", "2026-08", "--format", "json"]) == 0
    found = {row["account"]: row for row in json.loads(capfd.readouterr().out)}
    assert (found["exact"]["reason"], round(found["exact"]["difference_usd"], 9)) == ("other", 9.9)
    assert main([*home, "reconcile", "--month", "2026-08"]) == 0
    assert "EUR" not in capfd.readouterr().out


def test_text_of_a_bill_is_stored_as_it_is(tmp_path: Path) -> None:
    hostile = "'); DROP TABLE bill_lines; --"
    with Warehouse.open(tmp_path / "warehouse") as warehouse:
        import_bill(warehouse, read_bill(bill(tmp_path, line(hostile))))
        stored = warehouse.query("SELECT model FROM bill_lines")
    assert stored.equals(pl.DataFrame({"model": [hostile]}))

"""Prices that the catalog declares: which one a call is priced at, and what it says of where it is from."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.cli import main
from pipelines.contracts.catalog import load_catalog
from pipelines.errors import TerminalError
from pipelines.stages.price import price
from pipelines.stages.rates import Rates, read_rates
from tests.pipelines.otlp import request, span
from tests.pipelines.stages.test_price import calls
from warehouse import read_only

CATALOG = """
currencies:
  - { currency: EUR, effective_at: 2026-01-01, usd_per_unit: 1.10 }
  - { currency: EUR, effective_at: 2026-07-01, usd_per_unit: 1.20 }
prices:
  - { provider: openai, effective_at: 2026-02-01, list_price_ratio: 0.9 }
  - { provider: openai, model: gpt-4.1, effective_at: 2026-03-01, list_price_ratio: 0.8 }
  - { provider: openai, model: gpt-4.1, effective_at: 2026-06-01, list_price_ratio: 0.7 }
  - { provider: openai, service_tier: Batch, effective_at: 2026-01-01, list_price_ratio: 0.5 }
  - model: "ft:gpt-4.1-2025-04-14:acme:x:1"
    effective_at: 2026-01-01
    input_per_mtok: 3
    cached_input_per_mtok: 0.75
    output_per_mtok: 12
  - { model: house-model, effective_at: 2026-01-01, currency: EUR, input_per_mtok: 0.5, output_per_mtok: 1 }
"""
#: In a million input tokens: the list's price of gpt-4.1 in 2026 is 2 US dollars.
MILLION = {"provider": "openai", "request_model": "gpt-4.1", "input_tokens": 10**6, "output_tokens": 0}


@pytest.fixture
def rates(tmp_path: Path) -> Rates:
    path = tmp_path / "catalog.yaml"
    path.write_text(CATALOG, encoding="utf-8")
    tables = load_catalog(path).tables()
    return read_rates(lambda sql: tables["catalog_prices" if "catalog_prices" in sql else "catalog_currencies"])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"started_at": datetime(2026, 1, 15)}, 2.0),  # before any agreement: the list
        ({"started_at": datetime(2026, 2, 15)}, 1.8),  # the provider's
        ({"started_at": datetime(2026, 3, 1)}, 1.6),  # the model's, from its first moment
        ({"started_at": datetime(2026, 5, 31, 23, 59)}, 1.6),
        ({"started_at": datetime(2026, 6, 1)}, 1.4),
        ({"response_model": "gpt-4.1-2025-04-14", "started_at": datetime(2026, 6, 1)}, 1.4),  # a dated version of it
        ({"provider": None, "started_at": datetime(2026, 6, 1)}, 1.4),  # the provider that the list takes it for
        ({"provider": "azure.ai.openai", "started_at": datetime(2026, 6, 1)}, 2.0),  # another one
        ({"service_tier": "batch", "started_at": datetime(2026, 6, 1)}, 1.0),
        ({"service_tier": "default", "started_at": datetime(2026, 6, 1)}, 1.4),
        ({"service_tier": "priority", "started_at": datetime(2026, 6, 1)}, None),  # dearer by nobody knows how much
        ({"request_model": "ft:gpt-4.1-2025-04-14:acme:x:1"}, 3.0),
        ({"provider": None, "request_model": "house-model"}, 0.55),
        ({"provider": None, "request_model": "house-model", "started_at": datetime(2026, 7, 1)}, 0.6),
        ({"provider": None, "request_model": "house-model", "started_at": datetime(2025, 7, 1)}, None),
        ({"request_model": "unheard-of"}, None),  # a share of a price that is not known
    ],
)
def test_the_most_specific_price_in_force_counts(rates: Rates, row: dict[str, Any], expected: float | None) -> None:
    priced, _ = price(calls({**MILLION, **row}), rates)
    assert priced["cost_usd"][0] == (expected if expected is None else pytest.approx(expected, rel=1e-12))


def test_a_rate_that_is_not_stated_is_that_of_input(rates: Rates) -> None:
    row = {**MILLION, "request_model": "ft:gpt-4.1-2025-04-14:acme:x:1", "cached_input_tokens": 400_000}
    row["cache_write_tokens"], row["output_tokens"] = 100_000, 10**6
    assert price(calls(row), rates)[0]["cost_usd"][0] == pytest.approx(0.5 * 3 + 0.4 * 0.75 + 0.1 * 3 + 12)


def test_rates_of_audio_can_be_stated_and_are_those_of_text_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(
        "currencies: [{ currency: EUR, effective_at: 2026-01-01, usd_per_unit: 2 }]\n"
        "prices:\n"
        "  - { model: own-voice, effective_at: 2026-01-01, currency: EUR, input_per_mtok: 1, output_per_mtok: 4,\n"
        "      cached_input_per_mtok: 0.5, input_audio_per_mtok: 10, output_audio_per_mtok: 40 }\n"
        "  - { provider: openai, effective_at: 2026-01-01, list_price_ratio: 0.5 }\n",
        encoding="utf-8",
    )
    tables = load_catalog(path).tables()
    rates = read_rates(lambda sql: tables["catalog_prices" if "catalog_prices" in sql else "catalog_currencies"])
    row = {
        **MILLION, "provider": None, "request_model": "own-voice", "input_audio_tokens": 600_000,
        "cached_input_tokens": 300_000, "cached_input_audio_tokens": 100_000,
        "output_tokens": 10**6, "output_audio_tokens": 250_000, "started_at": datetime(2026, 1, 15),
    }  # fmt: skip
    priced, used = price(calls(row), rates)
    # In EUR: text 0.2 × 1, audio 0.5 × 10, cached 0.2 × 0.5, cached audio, of which nothing is stated, 0.1 × 0.5; then output.
    assert priced["cost_usd"][0] == pytest.approx(2 * (0.2 + 5 + 0.1 + 0.05 + 0.75 * 4 + 0.25 * 40))
    assert used["input_audio_usd_per_mtok"][0] == 20
    listed = {
        **MILLION,
        "request_model": "gpt-realtime",
        "input_audio_tokens": 10**6,
        "started_at": datetime(2026, 1, 15),
    }
    assert price(calls(listed), rates)[0]["cost_usd"][0] == pytest.approx(
        0.5 * price(calls(listed))[0]["cost_usd"][0]
    ), "a share of the list's price is one of its rate for audio too"


def test_the_price_says_where_it_is_from(rates: Rates) -> None:
    house = {"provider": None, "request_model": "house-model", "started_at": datetime(2026, 7, 2)}
    used = price(calls({**MILLION, "started_at": datetime(2026, 6, 2)}, {**MILLION, **house}), rates)[1]
    rows = {row["model"]: row for row in used.iter_rows(named=True)}
    assert rows["house-model"]["source"] == "catalog, in EUR at 1.2 US dollars"
    assert rows["house-model"]["output_usd_per_mtok"] == pytest.approx(1.2)
    assert rows["gpt-4.1"]["source"].startswith("catalog, × 0.7 of genai-prices ")
    assert rows["gpt-4.1"]["valid_from"] == datetime(2026, 6, 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "prices:\n  - { model: a, effective_at: 2026-01-01, currency: EUR, input_per_mtok: 1, output_per_mtok: 1 }",
            "currency 'EUR' has no rate on 2026-01-01 (catalog.yaml:2, prices[0]): give it one in currencies from that day on "
            "or earlier, or use USD (declared: none)",
        ),
        (
            "prices:\n  - { model: a, effective_at: 2026-01-01, currency: euro, input_per_mtok: 1, output_per_mtok: 1 }",
            "currency is 'euro' (catalog.yaml:2, prices[0]): give an ISO 4217 code, like EUR",
        ),
        (
            "currencies:\n  - { currency: USD, effective_at: 2026-01-01, usd_per_unit: 1 }",
            "currency is 'USD' (catalog.yaml:2, currencies[0]): US dollars need no rate: leave the entry out",
        ),
        (
            "prices:\n  - { model: a, effective_at: 2026-01-01, input_per_mtok: 1 }",
            "give list_price_ratio, or input_per_mtok and output_per_mtok",
        ),
        (
            "prices:\n  - { model: a, effective_at: 2026-01-01, list_price_ratio: 1, input_per_mtok: 1, output_per_mtok: 1 }",
            "give list_price_ratio, or rates per million tokens, not both",
        ),
        ("prices:\n  - { effective_at: 2026-01-01, list_price_ratio: 1 }", "give provider, model or both"),
        (
            "prices:\n  - { model: a, effective_at: 2026-01-01, list_price_ratio: 1 }\n"
            "  - { model: a, effective_at: 2026-01-01, list_price_ratio: 2 }",
            "any provider a standard 2026-01-01T00:00:00+00:00 is declared twice (catalog.yaml:3, prices)",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TerminalError) as caught:
        load_catalog(path)
    assert expected in str(caught.value).replace(str(path), "catalog.yaml")


def test_a_stream_prices_by_the_catalog_and_stores_the_tier(tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text(CATALOG, encoding="utf-8")
    at = int(datetime(2026, 6, 2, tzinfo=UTC).timestamp()) * 10**9
    spans = [
        span(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4.1",
                "gen_ai.usage.input_tokens": 10**6,
                "gen_ai.usage.output_tokens": 0,
                **tier,
            },
            trace_id=f"{number:032x}",
            span_id=f"{number:016x}",
            start_ns=at,
            end_ns=at + 10**9,
        )
        for number, tier in enumerate(
            ({}, {"openai.request.service_tier": "auto", "openai.response.service_tier": "batch"}), 1
        )
    ]
    (tmp_path / "calls.jsonl").write_text(json.dumps(request(*spans)) + "\n")
    home = ["--home", str(tmp_path / "home")]
    files = ["--source", "files", "--files", str(tmp_path / "calls.jsonl")]
    assert main([*home, "stream", *files, "--catalog", str(tmp_path / "catalog.yaml"), "--until-end"]) == 0
    with read_only(tmp_path / "home" / "warehouse") as lake:
        stored = lake.query("SELECT service_tier, round(cost_usd, 9) FROM spans ORDER BY span_id").rows()
    assert stored == [(None, 1.4), ("batch", 1.0)]

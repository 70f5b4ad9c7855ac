"""Price: list price of the day the call ran; unknown is null; the columnar sum is the price library's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import genai_prices
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.stages.price import price, token_kinds

TOKENS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "input_audio_tokens",
    "cached_input_audio_tokens",
    "output_audio_tokens",
)


def calls(*rows: dict[str, Any]) -> pl.DataFrame:
    defaults = {
        "kind": "model",
        "provider": "openai",
        "request_model": None,
        "response_model": None,
        "service_tier": None,
        **dict.fromkeys(TOKENS),
        "started_at": datetime(2026, 1, 15),
    }
    schema = {
        **dict.fromkeys(("kind", "provider", "request_model", "response_model", "service_tier"), pl.String),
        **dict.fromkeys(TOKENS, pl.Int64),
        "started_at": pl.Datetime("us"),
    }
    return pl.DataFrame([{**defaults, **row} for row in rows], schema=schema)


def cost(**row: Any) -> float | None:
    return price(calls(row))[0]["cost_usd"][0]


def test_cached_tokens_are_billed_once_at_their_own_rate() -> None:
    assert cost(
        request_model="gpt-4.1", input_tokens=1000, cached_input_tokens=400, output_tokens=100
    ) == pytest.approx((600 * 2 + 400 * 0.5 + 100 * 8) / 1e6)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("ollama", "qwen2.5:7b"),
        ("openai", "ft:gpt-4.1-2025-04-14:acme:x:1"),
        (None, "house-model"),
        ("nobody", "gpt-4.1"),
    ],
)
def test_a_model_without_a_public_price_costs_null_not_zero(provider: str | None, model: str) -> None:
    priced, used = price(calls({"provider": provider, "request_model": model, "input_tokens": 10, "output_tokens": 1}))
    assert priced.select("cost_usd", "price_id").row(0) == (None, None)
    assert used.is_empty()


def test_usage_that_was_not_reported_costs_null_and_reported_zero_costs_zero() -> None:
    assert cost(request_model="gpt-4.1") is None
    assert cost(request_model="gpt-4.1", input_tokens=0, output_tokens=0) == 0.0


def test_spans_that_are_no_model_call_have_no_cost() -> None:
    assert cost(kind="agent", request_model="gpt-4.1", input_tokens=10, output_tokens=1) is None


def test_a_call_is_priced_as_of_the_day_it_ran() -> None:
    rows = [
        {"request_model": "o3", "input_tokens": 10**6, "output_tokens": 0, "started_at": datetime(2025, month, 1)}
        for month in (5, 7)
    ]
    priced, used = price(calls(*rows))
    before, after = priced["cost_usd"]
    assert before > after
    assert used["price_id"].n_unique() == 2


def test_the_served_model_is_priced_before_the_requested_one() -> None:
    assert cost(
        request_model="gpt-4.1", response_model="gpt-4.1-mini-2025-04-14", input_tokens=10**6, output_tokens=0
    ) == pytest.approx(0.4)


@given(
    model=st.sampled_from(
        [
            ("openai", "gpt-4.1"),
            ("google", "gemini-2.5-pro"),
            ("anthropic", "claude-sonnet-4-5"),
            ("openai", "gpt-4.1-mini"),
        ]
    ),
    plain=st.integers(0, 400_000),
    cached=st.integers(0, 100_000),
    written=st.integers(0, 1000),
    output=st.integers(0, 50_000),
)
def test_the_columnar_price_is_the_price_librarys(
    model: tuple[str, str], plain: int, cached: int, written: int, output: int
) -> None:
    provider, name = model
    written = written if provider == "anthropic" else 0
    at = datetime(2026, 1, 15)
    usage = genai_prices.Usage(
        input_tokens=plain + cached + written,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
    )
    expected = genai_prices.calc_price(
        usage, name, provider_id=provider, genai_request_timestamp=at.replace(tzinfo=UTC)
    )
    assert cost(
        provider=provider,
        request_model=name,
        input_tokens=plain + cached + written,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
        started_at=at,
    ) == pytest.approx(float(expected.total_price), abs=1e-9)


@given(
    model=st.sampled_from(
        [
            ("google", "gemini-2.5-flash"),
            ("openai", "gpt-realtime"),
            ("openai", "gpt-4o-mini-realtime-preview"),
            ("openai", "gpt-audio"),
            ("aws", "amazon.nova-sonic-v1:0"),
            ("openai", "gpt-4.1"),
        ]
    ),
    text=st.integers(0, 100_000),
    again=st.integers(0, 10_000),
    heard=st.integers(0, 100_000),
    heard_again=st.integers(0, 10_000),
    written=st.integers(0, 50_000),
    said=st.integers(0, 50_000),
)
def test_audio_is_billed_at_its_own_rates_as_the_price_library_does(
    model: tuple[str, str], text: int, again: int, heard: int, heard_again: int, written: int, said: int
) -> None:
    provider, name = model
    at = datetime(2026, 1, 15)
    usage = genai_prices.Usage(
        input_tokens=text + again + heard + heard_again,
        cache_read_tokens=again + heard_again,
        input_audio_tokens=heard + heard_again,
        cache_audio_read_tokens=heard_again,
        output_tokens=written + said,
        output_audio_tokens=said,
    )
    expected = genai_prices.calc_price(
        usage, name, provider_id=provider, genai_request_timestamp=at.replace(tzinfo=UTC)
    )
    assert cost(
        provider=provider,
        request_model=name,
        input_tokens=text + again + heard + heard_again,
        cached_input_tokens=again + heard_again,
        input_audio_tokens=heard + heard_again,
        cached_input_audio_tokens=heard_again,
        output_tokens=written + said,
        output_audio_tokens=said,
        started_at=at,
    ) == pytest.approx(float(expected.total_price), abs=1e-9)


def test_a_model_without_a_rate_for_audio_bills_it_as_text_and_keeps_its_price_id() -> None:
    row = {"request_model": "gpt-4.1", "input_tokens": 1000, "output_tokens": 100}
    priced, used = price(calls(row, {**row, "input_audio_tokens": 900, "output_audio_tokens": 50}))
    assert priced["cost_usd"].n_unique() == 1
    # The id that warehouses of before have: calls of then and now share a price.
    assert used["price_id"].to_list() == ["openai/gpt-4.1@00ac5244"]
    assert used["input_audio_usd_per_mtok"].to_list() == [None]


@pytest.mark.parametrize(
    "tokens",
    [
        {"input_audio_tokens": 5000},
        {"input_audio_tokens": 900, "cached_input_tokens": 400},  # which of the cached ones are audio is not told
        {"cached_input_audio_tokens": 700, "cached_input_tokens": 400},
        {"output_audio_tokens": 101},
    ],
)
def test_no_token_is_billed_twice_where_the_parts_are_more_than_the_whole(tokens: dict[str, int]) -> None:
    row = {"input_tokens": 1000, "output_tokens": 100, **tokens}
    kinds = calls(row).select(**token_kinds()).row(0, named=True)
    assert min(kinds.values()) >= 0
    assert sum(kinds.values()) == 1100


def test_cached_tokens_that_can_be_nothing_but_audio_are_audio() -> None:
    row = {"input_tokens": 1000, "output_tokens": 0, "input_audio_tokens": 900, "cached_input_tokens": 400}
    kinds = calls(row).select(**token_kinds()).row(0, named=True)
    assert (kinds["input"], kinds["cached_input"], kinds["input_audio"], kinds["cached_input_audio"]) == (
        0,
        100,
        600,
        300,
    )

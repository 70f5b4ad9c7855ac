"""Third stage: what each model call cost, at the price in force when it ran. Unknown is null, never zero.

Prices come from the catalog where it declares one (`pipelines.stages.rates`), else from ``genai-prices`` (list prices with
the dates from which they hold). They are looked up once per distinct provider, model, service tier and quarter of an hour; the
arithmetic is columnar.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from importlib.metadata import version
from typing import Any

import genai_prices
import polars as pl
from genai_prices.types import TieredPrices, TimeOfDateConstraint

from pipelines.stages.rates import LIST_PRICES, STANDARD_TIERS, Rate, Rates

#: OTel's names of providers that the price list knows by another one.
_PROVIDERS = {
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "az.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.vertex_ai": "google",
    "gcp.gen_ai": "google",
    "vertex_ai": "google",
    "aws.bedrock": "aws",
    "x_ai": "x-ai",
    "mistral_ai": "mistral",
}
_KEYS = {
    "input": "input_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "output": "output_mtok",
    "input_audio": "input_audio_mtok",
    "cached_input_audio": "cache_audio_read_mtok",
    "output_audio": "output_audio_mtok",
}
#: What tokens of audio are billed as where the price has no rate of their own.
_PLAIN = {"input_audio": "input", "cached_input_audio": "cached_input", "output_audio": "output"}

PRICE_SCHEMA: dict[str, Any] = {
    "price_id": pl.String,
    "provider": pl.String,
    "model": pl.String,
    "valid_from": pl.Datetime("us"),
    "valid_to": pl.Datetime("us"),
    **{f"{unit}_usd_per_mtok": pl.Float64 for unit in _KEYS},
    "source": pl.String,
}
_RATES = slice(5, 5 + len(_KEYS))


def price(spans: pl.DataFrame, rates: Rates = LIST_PRICES) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the spans with ``cost_usd`` and ``price_id``, and the prices used.

    cost_usd = sum of tokens x rate / 1e6 over the kinds of `token_kinds`; audio without a rate of its own is billed as text.
    Null where the model has no price that we know, where its usage is not reported, where it was billed under another service
    tier than the standard one and the catalog has no price for that, and on spans that are no model call.

    Parameters
    ----------
    spans : pl.DataFrame
        Canonical spans; tokens as OTel defines them (input includes cached ones).
    rates : Rates
        What the catalog declares.

    Returns
    -------
    pl.DataFrame
        The spans with cost_usd (USD) and price_id.
    pl.DataFrame
        ``PRICE_SCHEMA``, one row per price id used.
    """
    calls = spans.with_row_index("row").filter(
        (pl.col("kind") == "model")
        & pl.any_horizontal(pl.col(c).is_not_null() for c in ("input_tokens", "output_tokens"))
    )
    calls = calls.select(
        "row",
        "input_tokens",
        "cached_input_tokens",
        "cache_write_tokens",
        "output_tokens",
        "input_audio_tokens",
        "cached_input_audio_tokens",
        "output_audio_tokens",
        pl.col("provider").str.to_lowercase().alias("call_provider"),
        pl.col("request_model"),
        pl.col("response_model"),
        pl.col("service_tier").str.to_lowercase().alias("call_tier"),
        pl.col("started_at").dt.truncate("15m").alias("slot"),
    )
    keys = calls.select("call_provider", "request_model", "response_model", "call_tier", "slot").unique()
    found = [
        (*key, tier, *values)
        for key in keys.iter_rows()
        for tier, values in _prices(rates, *(part or "" for part in key[:4]), key[4])
    ]
    schema: dict[str, Any] = {**keys.schema, "tier": pl.Int64, **PRICE_SCHEMA}
    table = pl.DataFrame(found, schema=schema, orient="row")
    matched = calls.join(table, on=keys.columns, how="inner", nulls_equal=True, suffix="_listed")
    matched = (
        matched.filter(pl.col("tier") < pl.col("input_tokens").fill_null(0))
        .sort("row", "tier")
        .unique("row", keep="last", maintain_order=True)
    )
    parts = [
        # A unit without a price only matters where it was used.
        pl.when(count == 0).then(0.0).otherwise(count * _rate(unit))
        for unit, count in token_kinds().items()
    ]
    matched = matched.with_columns(cost_usd=pl.sum_horizontal(parts, ignore_nulls=False) / 1e6).filter(
        pl.col("cost_usd").is_not_null()
    )
    priced = (
        spans.with_row_index("row")
        .join(matched.select("row", "cost_usd", "price_id"), on="row", how="left", maintain_order="left")
        .drop("row")
    )
    used = (
        table.select(list(PRICE_SCHEMA))
        .unique("price_id", maintain_order=True)
        .join(matched.select("price_id").unique(), on="price_id", how="semi")
    )
    return priced, used.sort("price_id")


def token_kinds() -> dict[str, pl.Expr]:
    """Return how many tokens of a call are billed as what: each token once.

    Cached tokens are a part of the input, audio tokens are a part of the input or output, and cached audio is a part of both; a
    part that is more than its whole counts as the whole.
    """
    count = {name: pl.col(f"{name}_tokens").fill_null(0) for name in (*_PLAIN, *_PLAIN.values(), "cache_write")}
    total, generated = count["input"], count["output"]
    cached = pl.min_horizontal(count["cached_input"], total)
    written = pl.min_horizontal(count["cache_write"], total - cached)
    # Where it is not told which of the cached tokens are audio, those are that can be nothing else.
    forced = count["input_audio"] + cached + written - total
    heard_again = pl.min_horizontal(pl.max_horizontal(count["cached_input_audio"], forced), cached)
    heard = (count["input_audio"] - heard_again).clip(0)
    heard = pl.min_horizontal(heard, total - cached - written)
    said = pl.min_horizontal(count["output_audio"], generated)
    return {
        "input": total - cached - written - heard,
        "cached_input": cached - heard_again,
        "cache_write": written,
        "output": generated - said,
        "input_audio": heard,
        "cached_input_audio": heard_again,
        "output_audio": said,
    }


def _rate(unit: str) -> pl.Expr:
    names = [unit, _PLAIN[unit]] if unit in _PLAIN else [unit]
    return pl.coalesce(f"{name}_usd_per_mtok" for name in names)


_Rows = tuple[tuple[int, tuple[Any, ...]], ...]


@lru_cache(maxsize=50_000)
def _prices(rates: Rates, provider: str, request_model: str, response_model: str, tier: str, at: datetime) -> _Rows:
    """Price rows of one call's model at one time: (input tokens above which the tier applies, PRICE_SCHEMA values)."""
    models = tuple(model for model in (response_model, request_model) if model)
    listed: _Rows = ()
    for model in models:
        slot = at if _changes_by_hour(provider, model) else at.replace(hour=0, minute=0)
        listed = _listed(provider, model, slot)
        if listed:
            break
    # The trace's name of the provider, the price list's, and the one that the list takes a model without one for.
    providers = {provider, _PROVIDERS.get(provider, provider), *(row[1] for _, row in listed)} - {""}
    rate = rates.of(frozenset(providers), models, tier, at)
    if rate is None:
        return listed if tier in STANDARD_TIERS else ()
    if rate.list_price_ratio is not None:
        return tuple((start, _share(row, rate)) for start, row in listed)
    return _agreed(rates, rate, provider, models[0], at)


def _share(row: tuple[Any, ...], rate: Rate) -> tuple[Any, ...]:
    """A row of list prices, as the catalog's share of them."""
    _, provider, model, *_, source = row
    values = tuple(None if value is None else value * rate.list_price_ratio for value in row[_RATES])
    name = _name(provider, model, values, rate.service_tier, rate.effective_at)
    return (
        name,
        provider,
        model,
        rate.effective_at,
        None,
        *values,
        f"catalog, × {rate.list_price_ratio:g} of {source}",
    )


def _agreed(rates: Rates, rate: Rate, provider: str, model: str, at: datetime) -> _Rows:
    """The row of a price whose rates the catalog states; nothing where its currency has no rate then."""
    usd, plain, output = rates.usd_per_unit(rate.currency, at), rate.input_per_mtok, rate.output_per_mtok
    if usd is None or plain is None or output is None:
        return ()
    of_input = (plain, rate.cached_input_per_mtok, rate.cache_write_per_mtok)
    of_audio = _of_audio(
        rate.cached_input_per_mtok,
        rate.input_audio_per_mtok,
        rate.cached_input_audio_per_mtok,
        rate.output_audio_per_mtok,
    )
    values = (
        *((plain if value is None else value) * usd for value in of_input),
        output * usd,
        *(None if value is None else value * usd for value in of_audio),
    )
    whose, what = rate.provider or provider or None, rate.model or model
    source = "catalog" if rate.currency == "USD" else f"catalog, in {rate.currency} at {usd:g} US dollars"
    name = _name(whose or "-", what, values, rate.service_tier, rate.effective_at)
    return ((-1, (name, whose, what, rate.effective_at, None, *values, source)),)


def _of_audio(cached: Any, heard: Any, heard_again: Any, said: Any) -> tuple[Any, Any, Any]:
    """Rates of audio input, cached audio input, audio output; None where it is billed as text.

    Cached audio without a rate of its own is cached input where that has one, and audio otherwise.
    """
    return heard, heard if heard_again is None and cached is None else heard_again, said


def _name(provider: str, model: str, values: tuple[Any, ...], *agreed: Any) -> str:
    text, audio = values[: -len(_PLAIN)], values[-len(_PLAIN) :]
    # A price without rates of audio has the id that it had before there were any.
    rates = text if set(audio) == {None} else values
    return f"{provider}/{model}@{blake2b(repr((*rates, *agreed)).encode(), digest_size=4).hexdigest()}"


def _look_up(provider: str, model: str, at: datetime) -> genai_prices.types.PriceCalculation | None:
    if model.lower().startswith("ft:"):
        return None  # a fine-tuned model is billed at its own rate, not at its base model's
    try:
        return genai_prices.calc_price(
            genai_prices.Usage(input_tokens=1),
            model,
            provider_id=_PROVIDERS.get(provider, provider) or None,
            genai_request_timestamp=at.replace(tzinfo=UTC),
        )
    except (LookupError, ValueError):
        return None


@lru_cache(maxsize=50_000)
def _changes_by_hour(provider: str, model: str) -> bool:
    found = _look_up(provider, model, datetime(2026, 1, 1))
    prices = found.model.prices if found else []
    return isinstance(prices, list) and any(isinstance(p.constraint, TimeOfDateConstraint) for p in prices)


@lru_cache(maxsize=50_000)
def _listed(provider: str, model: str, at: datetime) -> _Rows:
    found = _look_up(provider, model, at)
    if found is None:
        return ()
    units = {unit: getattr(found.model_price, key) for unit, key in _KEYS.items()}
    units.update(zip(_PLAIN, _of_audio(units["cached_input"], *(units[unit] for unit in _PLAIN)), strict=True))
    # What has no rate of its own is billed as plain input.
    units["cached_input"] = units["input"] if units["cached_input"] is None else units["cached_input"]
    units["cache_write"] = units["input"] if units["cache_write"] is None else units["cache_write"]
    starts = sorted(
        {-1} | {t.start for value in units.values() if isinstance(value, TieredPrices) for t in value.tiers}
    )
    rows: list[tuple[int, tuple[Any, ...]]] = []
    for start in starts:
        values = tuple(_at_tier(value, start) for value in units.values())
        name = _name(found.provider.id, found.model.id, values)
        origin = f"genai-prices {version('genai-prices')}"
        rows.append((start, (name, found.provider.id, found.model.id, None, None, *values, origin)))
    return tuple(rows)


def _at_tier(value: Any, start: int) -> float | None:
    if isinstance(value, TieredPrices):
        applicable = [tier.price for tier in sorted(value.tiers, key=lambda tier: tier.start) if tier.start <= start]
        return float(applicable[-1] if applicable else value.base)
    return None if value is None else float(value)

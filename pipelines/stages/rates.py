"""Prices that the catalog declares: agreed with a provider, for a service tier, or of models that no public list has."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import polars as pl

#: Service tiers that list prices hold for; what was asked for as "auto" and not answered otherwise is one of them.
STANDARD_TIERS = frozenset(("", "standard", "default", "auto", "on_demand", "standard_only"))
_DATED = re.compile(r"[-@]\d{4}-?\d{2}-?\d{2}$")


class Rate(NamedTuple):
    """A row of ``catalog_prices``."""

    provider: str | None
    model: str | None
    service_tier: str | None
    effective_at: datetime
    list_price_ratio: float | None
    currency: str
    input_per_mtok: float | None
    cached_input_per_mtok: float | None
    cache_write_per_mtok: float | None
    output_per_mtok: float | None
    input_audio_per_mtok: float | None = None
    cached_input_audio_per_mtok: float | None = None
    output_audio_per_mtok: float | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """All of them, and what currencies are worth. It can be hashed: what is looked up by it is kept.

    Attributes
    ----------
    prices : tuple of Rate
    currencies : tuple of (str, datetime, float)
        Currency, from when on, US dollars for one unit.
    """

    prices: tuple[Rate, ...] = ()
    currencies: tuple[tuple[str, datetime, float], ...] = ()

    def of(self, providers: frozenset[str], models: tuple[str, ...], tier: str, at: datetime) -> Rate | None:
        """Return the price in force for a call, the most specific one; None where the list's holds.

        One for the model as named comes before one for its undated name, and that before one for all models; then one that
        names the provider before one that does not; then the latest.

        Parameters
        ----------
        providers : frozenset of str
            Names of the call's provider, in lower case.
        tier : str
            Service tier, in lower case; '' where not sent.
        models : tuple of str
            The names of the call's model.
        at : datetime
            UTC, without a zone.
        """
        undated = {_DATED.sub("", model) for model in models}
        found: list[tuple[tuple[int, bool, datetime], Rate]] = []
        for rate in self.prices:
            is_tier = (rate.service_tier or "") == tier or {rate.service_tier or "", tier} <= STANDARD_TIERS
            is_provider = rate.provider is None or rate.provider.lower() in providers
            closeness = 2 if rate.model in models else 1 if rate.model in undated else 0 if rate.model is None else -1
            if is_tier and is_provider and closeness >= 0 and rate.effective_at <= at:
                found.append(((closeness, rate.provider is not None, rate.effective_at), rate))
        return max(found, key=lambda each: each[0])[1] if found else None

    def usd_per_unit(self, currency: str, at: datetime) -> float | None:
        """Return what a unit of a currency is worth at a time, in US dollars; None where that is not declared."""
        if currency == "USD":
            return 1.0
        known = [(since, usd) for name, since, usd in self.currencies if name == currency and since <= at]
        return max(known)[1] if known else None


LIST_PRICES = Rates()


def read_rates(query: Callable[[str], pl.DataFrame]) -> Rates:
    """Return the prices of the catalog that a warehouse holds.

    Parameters
    ----------
    query : callable
        Answers a SELECT.
    """
    prices = query(f"SELECT {', '.join(Rate._fields)} FROM catalog_prices ORDER BY ALL")  # noqa: S608 - our names
    currencies = query("SELECT currency, effective_at, usd_per_unit FROM catalog_currencies ORDER BY ALL")
    return Rates(tuple(Rate(*row) for row in prices.iter_rows()), tuple(currencies.iter_rows()))

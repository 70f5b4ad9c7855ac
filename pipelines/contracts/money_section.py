"""The catalog's sections ``prices`` and ``currencies``: rates agreed with providers, models of one's own, other currencies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from pipelines.contracts.located import Entry


def _instant(value: object) -> object:
    """Read an ISO date as its midnight, and take a time without a zone as UTC."""
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("give a date or a time, like 2026-03-01 or 2026-03-01T09:00:00Z") from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def _code(value: str) -> str:
    if not (len(value) == 3 and value.isascii() and value.isalpha() and value.isupper()):
        raise ValueError("give an ISO 4217 code, like EUR")
    return value


def _foreign(value: str) -> str:
    if value == "USD":
        raise ValueError("US dollars need no rate: leave the entry out")
    return value


Name = Annotated[str, Field(min_length=1, max_length=200)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Currency = Annotated[str, AfterValidator(_code)]
PerMillion = Annotated[float, Field(ge=0, allow_inf_nan=False)]

RATES = (
    "input_per_mtok",
    "cached_input_per_mtok",
    "cache_write_per_mtok",
    "output_per_mtok",
    "input_audio_per_mtok",
    "cached_input_audio_per_mtok",
    "output_audio_per_mtok",
)


class CurrencyEntry(Entry):
    """What one unit of a currency is worth, from ``effective_at`` until the next entry of that currency."""

    currency: Annotated[Currency, AfterValidator(_foreign)]
    effective_at: Instant
    usd_per_unit: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class PriceEntry(Entry):
    """What calls cost, from ``effective_at`` until the next entry for the same provider, model and service tier.

    Either a share of the list price (``list_price_ratio``: 0.85 is 15 % less), or rates per million tokens in a currency.
    """

    provider: Name | None = None
    model: Name | None = None
    service_tier: Annotated[str, StringConstraints(to_lower=True, min_length=1, max_length=200)] | None = None
    effective_at: Instant
    list_price_ratio: PerMillion | None = None
    currency: Currency = "USD"
    input_per_mtok: PerMillion | None = None
    cached_input_per_mtok: PerMillion | None = None
    cache_write_per_mtok: PerMillion | None = None
    output_per_mtok: PerMillion | None = None
    input_audio_per_mtok: PerMillion | None = None
    cached_input_audio_per_mtok: PerMillion | None = None
    output_audio_per_mtok: PerMillion | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        stated = [name for name in RATES if getattr(self, name) is not None]
        if self.provider is None and self.model is None:
            raise ValueError("say whose price it is: give provider, model or both")
        if self.list_price_ratio is not None and (stated or self.currency != "USD"):
            raise ValueError("give list_price_ratio, or rates per million tokens, not both")
        if self.list_price_ratio is None and not {"input_per_mtok", "output_per_mtok"} <= set(stated):
            raise ValueError("give list_price_ratio, or input_per_mtok and output_per_mtok")
        return self

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What two entries must not share."""
        at = self.effective_at.isoformat()
        return self.provider or "any provider", self.model or "any model", self.service_tier or "standard", at

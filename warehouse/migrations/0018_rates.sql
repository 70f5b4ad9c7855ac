-- What calls cost by agreement, other currencies, the service tier that a call was billed under; former names of workflows.

-- table: catalog_currencies
-- One row per rate of a currency that the catalog declares.
-- grain: currency, effective_at
CREATE TABLE catalog_currencies (
    currency VARCHAR NOT NULL,  -- ISO 4217 code.
    effective_at TIMESTAMP NOT NULL,  -- From when on it holds, until the currency's next one.
    usd_per_unit DOUBLE NOT NULL  -- US dollars for one unit.
);

-- table: catalog_prices
-- One row per price that the catalog declares; those that calls were priced at are in price_list, in US dollars.
-- grain: provider, model, service_tier, effective_at
CREATE TABLE catalog_prices (
    provider VARCHAR,  -- Provider; null for any.
    model VARCHAR,  -- Model, dated versions of it included; null for any.
    service_tier VARCHAR,  -- Service tier, as batch or flex; null for the standard one.
    effective_at TIMESTAMP NOT NULL,  -- From when on it holds, until the next one for the same.
    list_price_ratio DOUBLE,  -- Share of the list price; null where the rates are given.
    currency VARCHAR NOT NULL,  -- Currency of the rates, as an ISO 4217 code.
    input_per_mtok DOUBLE,  -- Per million input tokens that were not cached.
    cached_input_per_mtok DOUBLE,  -- Per million input tokens read from the cache; null for the rate of input.
    cache_write_per_mtok DOUBLE,  -- Per million tokens written to the cache; null for the rate of input.
    output_per_mtok DOUBLE  -- Per million output tokens.
);

ALTER TABLE spans ADD COLUMN service_tier VARCHAR;  -- Service tier of a model call, as sent: standard, batch, flex, priority.
ALTER TABLE catalog_workflows ADD COLUMN formerly VARCHAR[];  -- Names that it had before; runs under them count as its own.

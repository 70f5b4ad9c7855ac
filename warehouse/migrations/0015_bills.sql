-- Bills of providers, as imported from files in FOCUS columns.

-- table: bill_lines
-- One row per line of a provider's bill, from `plumbline import focus`. A file takes the place of what was imported before for the same
-- providers and billing periods.
-- grain: provider, billing_period, file_row
CREATE TABLE bill_lines (
    provider VARCHAR NOT NULL,  -- ProviderName.
    billing_period DATE NOT NULL,  -- Day of BillingPeriodStart, UTC.
    file_row BIGINT NOT NULL,  -- Row of the file, its header being row 1.
    day DATE NOT NULL,  -- Day of ChargePeriodStart, UTC.
    account VARCHAR,  -- SubAccountId; null where the bill has none.
    model VARCHAR,  -- Model that the line names; null where it names none, and then it is not compared with the traces.
    sku VARCHAR,  -- SkuId.
    description VARCHAR,  -- ChargeDescription.
    billed_cost DOUBLE NOT NULL,  -- BilledCost, in the line's currency.
    currency VARCHAR NOT NULL,  -- BillingCurrency, as an ISO 4217 code.
    imported_at TIMESTAMP NOT NULL  -- When it was imported.
);

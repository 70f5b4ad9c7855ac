-- What the priced model calls of one month cost, as rows of FOCUS 1.2 (https://focus.finops.org, dataset CostAndUsage).
-- grain: day of the call's start (UTC), provider, price, workflow, team, cost center, kind of token; kinds without a token have no row
-- parameters: $first, $next: first day of the month and of the next one
-- Costs and unit prices in US dollars; quantities in tokens (Consumed) and millions of them (Pricing). Reasoning is a part of output
-- and billed at its rate. Counted once, as pipelines/stages/price.py bills it: input less what was cached, written or audio, output
-- less audio and reasoning. Audio without a rate of its own is billed as text, in a row of its own all the same.
-- A call that has no price has no row: FOCUS does not know an unknown cost. Nothing is told of invoices, so InvoiceId is null.

WITH call AS (
    SELECT
        c.started_at::DATE AS day,
        -- FOCUS wants a name; the catalog's price of a model may have none.
        p.* REPLACE (coalesce(p.provider, '(unknown)') AS provider),
        r.workflow,
        r.team,
        r.cost_center,
        coalesce(c.input_tokens, 0) AS total,
        least(coalesce(c.cached_input_tokens, 0), total) AS cached,
        least(coalesce(c.cache_write_tokens, 0), total - cached) AS written,
        -- Where it is not told which of the cached tokens are audio, those are that can be nothing else.
        coalesce(c.input_audio_tokens, 0) + cached + written - total AS forced,
        least(greatest(coalesce(c.cached_input_audio_tokens, 0), forced), cached) AS heard_again,
        least(greatest(coalesce(c.input_audio_tokens, 0) - heard_again, 0), total - cached - written) AS heard,
        coalesce(c.output_tokens, 0) AS generated,
        least(coalesce(c.output_audio_tokens, 0), generated) AS said,
        least(coalesce(c.reasoning_tokens, 0), generated - said) AS reasoned
    FROM model_calls AS c
    JOIN price_list AS p USING (price_id)
    JOIN runs AS r USING (run_id)
    WHERE c.cost_usd IS NOT NULL AND c.started_at >= $first AND c.started_at < $next
),
part AS (
    SELECT
        call.*,
        unnest([
            {'kind': 'input', 'tokens': total - cached - written - heard, 'rate': input_usd_per_mtok},
            {'kind': 'cached input', 'tokens': cached - heard_again, 'rate': cached_input_usd_per_mtok},
            {'kind': 'cache write', 'tokens': written, 'rate': cache_write_usd_per_mtok},
            {'kind': 'audio input', 'tokens': heard, 'rate': coalesce(input_audio_usd_per_mtok, input_usd_per_mtok)},
            {
                'kind': 'cached audio input',
                'tokens': heard_again,
                'rate': coalesce(cached_input_audio_usd_per_mtok, cached_input_usd_per_mtok)
            },
            {'kind': 'output', 'tokens': generated - said - reasoned, 'rate': output_usd_per_mtok},
            {'kind': 'reasoning', 'tokens': reasoned, 'rate': output_usd_per_mtok},
            {'kind': 'audio output', 'tokens': said, 'rate': coalesce(output_audio_usd_per_mtok, output_usd_per_mtok)}
        ], recursive := true)
    FROM call
),
grouped AS (
    SELECT
        day,
        provider,
        model,
        price_id,
        workflow,
        team,
        cost_center,
        kind,
        rate,
        sum(tokens)::BIGINT AS tokens,
        count(*) AS calls
    FROM part
    WHERE part.tokens > 0
    GROUP BY ALL
),
line AS (
    SELECT *, tokens / 1e6 AS quantity, rate * quantity AS cost
    FROM grouped
)
SELECT
    cost AS "BilledCost",
    provider AS "BillingAccountId",
    provider AS "BillingAccountName",
    'USD' AS "BillingCurrency",
    $next::TIMESTAMP AS "BillingPeriodEnd",
    $first::TIMESTAMP AS "BillingPeriodStart",
    'Usage' AS "ChargeCategory",
    NULL::VARCHAR AS "ChargeClass",
    kind || ' tokens of ' || model AS "ChargeDescription",
    'Usage-Based' AS "ChargeFrequency",
    (day + 1)::TIMESTAMP AS "ChargePeriodEnd",
    day::TIMESTAMP AS "ChargePeriodStart",
    tokens::DOUBLE AS "ConsumedQuantity",
    'Tokens' AS "ConsumedUnit",
    cost AS "ContractedCost",
    rate AS "ContractedUnitPrice",
    cost AS "EffectiveCost",
    NULL::VARCHAR AS "InvoiceId",
    provider AS "InvoiceIssuerName",
    cost AS "ListCost",
    rate AS "ListUnitPrice",
    'Standard' AS "PricingCategory",
    quantity AS "PricingQuantity",
    '1000000 Tokens' AS "PricingUnit",
    provider AS "ProviderName",
    provider AS "PublisherName",
    'AI and Machine Learning' AS "ServiceCategory",
    provider || ' models' AS "ServiceName",
    'Generative AI' AS "ServiceSubcategory",
    provider || '/' || model || '/' || kind AS "SkuId",
    kind AS "SkuMeter",
    NULL::VARCHAR AS "SkuPriceDetails",
    price_id || '/' || kind AS "SkuPriceId",
    cost_center AS "SubAccountId",
    cost_center AS "SubAccountName",
    json_object('workflow', workflow, 'team', team, 'cost_center', cost_center)::VARCHAR AS "Tags",
    calls AS "x_Calls",
    model AS "x_Model",
    workflow AS "x_Workflow"
FROM line
ORDER BY day, provider, model, price_id, workflow, team, cost_center, kind

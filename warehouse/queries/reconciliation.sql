-- What providers billed beside what the traces say it cost, for the days that the bills speak of.
-- grain: day (UTC), provider, model, account (the cost center)
-- parameters: $first, $next: first day of the month and of the next one
-- Lines that name a model are compared, in US dollars: those in another currency at the catalog's rate of their day, and not without one.
-- Only providers that billed something in the month are compared. A call counts under its price's provider and model, else under its own. billed_usd and traced_usd are null where there is no such line, or no call that has a
-- price. reason, the first that holds: 'agrees' (to 1e-9 of the bill), 'missing traces' (no call), 'not billed' (no line), 'unpriced' (the
-- traces have calls without a price and less cost than the bill), 'rounding' (no more than half a cent for each line), 'other'.

WITH line AS (
    SELECT
        b.day,
        lower(b.provider) AS provider,
        b.model,
        b.account,
        sum(b.billed_cost * CASE b.currency WHEN 'USD' THEN 1 ELSE c.usd_per_unit END) AS billed_usd,
        sum(0.005 * CASE b.currency WHEN 'USD' THEN 1 ELSE c.usd_per_unit END) AS half_cents_usd,
        count(*) AS lines
    FROM bill_lines AS b
    ASOF LEFT JOIN catalog_currencies AS c ON b.currency = c.currency AND b.day >= c.effective_at
    WHERE b.model IS NOT NULL
        AND (b.currency = 'USD' OR c.usd_per_unit IS NOT NULL)
        AND b.day >= $first AND b.day < $next
    GROUP BY ALL
),
call AS (
    SELECT
        c.started_at::DATE AS day,
        lower(coalesce(p.provider, c.provider)) AS provider,
        coalesce(p.model, c.response_model, c.request_model) AS model,
        r.cost_center AS account,
        sum(c.cost_usd) AS traced_usd,
        count(*) AS calls,
        count(*) FILTER (c.cost_usd IS NULL) AS unpriced_calls
    FROM model_calls AS c
    JOIN runs AS r USING (run_id)
    LEFT JOIN price_list AS p USING (price_id)
    WHERE c.started_at >= $first AND c.started_at < $next
    GROUP BY ALL
),
beside AS (
    SELECT
        coalesce(line.day, call.day) AS day,
        coalesce(line.provider, call.provider) AS provider,
        coalesce(line.model, call.model) AS model,
        coalesce(line.account, call.account) AS account,
        line.billed_usd,
        call.traced_usd,
        coalesce(line.lines, 0) AS lines,
        coalesce(line.half_cents_usd, 0) AS half_cents_usd,
        coalesce(call.calls, 0) AS calls,
        coalesce(call.unpriced_calls, 0) AS unpriced_calls,
        coalesce(line.billed_usd, 0) - coalesce(call.traced_usd, 0) AS difference_usd
    FROM line
    FULL JOIN call
        ON line.day = call.day
        AND line.provider = call.provider
        AND line.model = call.model
        AND line.account IS NOT DISTINCT FROM call.account
)
SELECT
    * EXCLUDE (lines, half_cents_usd),
    CASE
        WHEN calls = 0 THEN 'missing traces'
        WHEN lines = 0 THEN 'not billed'
        WHEN abs(difference_usd) <= 1e-9 * abs(billed_usd) THEN 'agrees'
        WHEN unpriced_calls > 0 AND difference_usd > 0 THEN 'unpriced'
        WHEN abs(difference_usd) <= half_cents_usd THEN 'rounding'
        ELSE 'other'
    END AS reason
FROM beside
WHERE provider IN (SELECT provider FROM line)
ORDER BY day, provider, model, account

-- What the model calls of settled, priced runs add up to, per window, workflow and the model that answered: the calls of a bridge.
-- grain: span, workflow, model
-- $1, $2 previous start and end; $3, $4 current start and end, whole hours; $5 workflow, $6 environment, $7 team, $8 release; each or null
SELECT
    CASE WHEN hour_at >= $3 THEN 'current' ELSE 'previous' END AS span,
    workflow,
    model,
    sum(calls)::DOUBLE AS calls,
    sum(input_tokens)::DOUBLE AS input_tokens,
    sum(cached_tokens)::DOUBLE AS cached_tokens,
    sum(output_tokens)::DOUBLE AS output_tokens,
    sum(input_usd) AS input_usd,
    sum(cached_usd) AS cached_usd,
    sum(output_usd) AS output_usd,
    sum(cost_usd) AS cost_usd
FROM model_usage_hourly
WHERE ((hour_at >= $3 AND hour_at < $4) OR (hour_at >= $1 AND hour_at < $2))
    AND ($5::VARCHAR IS NULL OR workflow = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR environment = $6::VARCHAR)
    AND ($7::VARCHAR IS NULL OR team = $7::VARCHAR)
    AND ($8::VARCHAR IS NULL OR release = $8::VARCHAR)
GROUP BY ALL
ORDER BY ALL

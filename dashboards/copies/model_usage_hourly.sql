-- Mart model_usage_hourly by parts of days.
-- $1 hour of the day at which a day is parted, 0 to 23
SELECT
    date,
    date::TIMESTAMP + to_hours(CASE WHEN hour(hour_at) >= $1 THEN $1 ELSE 0 END::INTEGER) AS hour_at,
    workflow,
    team,
    environment,
    release,
    model,
    sum(calls)::BIGINT AS calls,
    sum(input_tokens)::BIGINT AS input_tokens,
    sum(cached_tokens)::BIGINT AS cached_tokens,
    sum(output_tokens)::BIGINT AS output_tokens,
    sum(input_usd) AS input_usd,
    sum(cached_usd) AS cached_usd,
    sum(output_usd) AS output_usd,
    sum(cost_usd) AS cost_usd
FROM model_usage_hourly
GROUP BY ALL

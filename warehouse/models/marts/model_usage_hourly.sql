-- mart: model_usage_hourly
-- group: cost
-- What the model calls of the settled runs with a known cost add up to, by the model that answered and the hour of the run's start.
-- grain: hour_at, workflow, team, environment, release, model
-- period: date
-- incremental: date
-- Beside runs_hourly it is all that a bridge needs (docs/economics.md): calls, tokens and prices of the very runs whose cost
-- cost_usd of runs_hourly is. Every column is a sum.
-- columns:
--   date: Day of the run's start, UTC.
--   hour_at: Beginning of its hour.
--   workflow: The run's workflow.
--   team: The run's team.
--   environment: The run's environment.
--   release: The run's release.
--   model: Model that answered, else the one asked for, else 'unknown'.
--   calls: Model calls.
--   input_tokens: Input tokens, cached ones included.
--   cached_tokens: The part of input_tokens read from the cache.
--   output_tokens: Output tokens, reasoning included.
--   input_usd: What input that was neither cached nor written to the cache cost at the prices in force, in US dollars.
--   cached_usd: What cached input cost, in US dollars.
--   output_usd: What the output cost, in US dollars.
--   cost_usd: What the calls cost, in US dollars; more than the three before where the cache was written to.

SELECT
    r.started_at::DATE AS date,
    date_trunc('hour', r.started_at) AS hour_at,
    r.workflow,
    r.team,
    r.environment,
    r.release,
    coalesce(c.response_model, c.request_model, 'unknown') AS model,
    count(*) AS calls,
    sum(coalesce(c.input_tokens, 0))::BIGINT AS input_tokens,
    sum(least(coalesce(c.cached_input_tokens, 0), coalesce(c.input_tokens, 0)))::BIGINT AS cached_tokens,
    sum(coalesce(c.output_tokens, 0))::BIGINT AS output_tokens,
    sum(
        coalesce(p.input_usd_per_mtok, 0)
        * greatest(coalesce(c.input_tokens, 0) - coalesce(c.cached_input_tokens, 0) - coalesce(c.cache_write_tokens, 0), 0)
    ) / 1e6 AS input_usd,
    sum(
        coalesce(p.cached_input_usd_per_mtok, 0) * least(coalesce(c.cached_input_tokens, 0), coalesce(c.input_tokens, 0))
    ) / 1e6 AS cached_usd,
    sum(coalesce(p.output_usd_per_mtok, 0) * coalesce(c.output_tokens, 0)) / 1e6 AS output_usd,
    coalesce(sum(c.cost_usd), 0) AS cost_usd
FROM model_calls AS c
JOIN runs AS r USING (run_id)
LEFT JOIN (SELECT DISTINCT ON (price_id) * FROM price_list ORDER BY price_id) AS p USING (price_id)
WHERE r.started_at IS NOT NULL AND NOT r.is_pending AND r.cost_usd IS NOT NULL
GROUP BY ALL
ORDER BY ALL

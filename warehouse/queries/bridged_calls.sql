-- The model calls of the runs on one side of a bridge, by workflow and model: tokens, and what each kind of them cost at the price used.
-- grain: workflow, model
-- Parameters and runs as in bridged_runs. cost_usd may be more than the kinds together: what cache writes and
-- audio cost beyond input and output is in it alone.
SELECT
    r.workflow,
    coalesce(c.response_model, c.request_model, 'unknown') AS model,
    count(*)::DOUBLE AS calls,
    sum(coalesce(c.input_tokens, 0))::DOUBLE AS input_tokens,
    sum(least(coalesce(c.cached_input_tokens, 0), coalesce(c.input_tokens, 0)))::DOUBLE AS cached_tokens,
    sum(coalesce(c.output_tokens, 0))::DOUBLE AS output_tokens,
    sum(
        coalesce(p.input_usd_per_mtok, 0)
        * greatest(coalesce(c.input_tokens, 0) - coalesce(c.cached_input_tokens, 0) - coalesce(c.cache_write_tokens, 0), 0)
    ) / 1e6 AS input_usd,
    sum(
        coalesce(p.cached_input_usd_per_mtok, 0) * least(coalesce(c.cached_input_tokens, 0), coalesce(c.input_tokens, 0))
    ) / 1e6 AS cached_usd,
    sum(coalesce(p.output_usd_per_mtok, 0) * coalesce(c.output_tokens, 0)) / 1e6 AS output_usd,
    sum(coalesce(c.cost_usd, 0))::DOUBLE AS cost_usd
FROM model_calls AS c
JOIN runs AS r USING (run_id)
LEFT JOIN (SELECT DISTINCT ON (price_id) * FROM price_list ORDER BY price_id) AS p USING (price_id)
WHERE ($workflow::VARCHAR IS NULL OR r.workflow = $workflow::VARCHAR)
    AND r.mode IS DISTINCT FROM 'shadow'
    AND NOT r.is_pending
    AND r.cost_usd IS NOT NULL
    AND ($since::TIMESTAMP IS NULL OR r.started_at >= $since::TIMESTAMP)
    AND ($until::TIMESTAMP IS NULL OR r.started_at < $until::TIMESTAMP)
    AND ($model::VARCHAR IS NULL OR r.model = $model::VARCHAR)
    AND ($release::VARCHAR IS NULL OR r.release = $release::VARCHAR)
GROUP BY 1, 2
ORDER BY 1, 2

-- Additive sums of runs, from which every ratio on the pages is made (dashboards/cohorts.py).
-- grain: span ('current' or 'previous'), bucket_at, workflow, model
-- $1, $2 previous start and end; $3, $4 current start and end; $5 workflow or null; $6 environment or null; $7 bucket width
--   in seconds; $8 team or null; $9 release or null.
-- A run is settled when it is not pending; a run is priced when its cost is known. Cost per success is made of settled and
-- priced runs alone, on both sides; the sums of squares and products serve its interval.
WITH windowed AS (
    SELECT
        CASE WHEN started_at >= $3 THEN 'current' ELSE 'previous' END AS span,
        time_bucket(to_seconds($7::BIGINT), started_at, TIMESTAMP '2000-01-03') AS bucket_at,
        workflow,
        model,
        outcome,
        coalesce(is_pending, FALSE) AS is_pending,
        (outcome IS NOT DISTINCT FROM 'success')::INTEGER AS success,
        CASE WHEN NOT coalesce(is_pending, FALSE) THEN cost_usd END AS cost_usd,
        model_cost_usd,
        tool_cost_usd,
        escalation_cost_usd,
        model_calls - coalesce(costless_model_calls, 0) AS priceable_model_calls,
        priced_model_calls,
        input_tokens,
        cached_input_tokens,
        output_tokens,
        tool_calls,
        tool_errors,
        coalesce(quality_flags, []) AS flags
    FROM runs
    WHERE ((started_at >= $3 AND started_at < $4) OR (started_at >= $1 AND started_at < $2))
        AND ($5::VARCHAR IS NULL OR workflow = $5::VARCHAR)
        AND ($6::VARCHAR IS NULL OR environment = $6::VARCHAR)
        AND ($8::VARCHAR IS NULL OR team = $8::VARCHAR)
        AND ($9::VARCHAR IS NULL OR release = $9::VARCHAR)
)
SELECT
    span,
    bucket_at,
    workflow,
    model,
    count(*) AS runs,
    count(*) FILTER (is_pending) AS pending_runs,
    count(*) FILTER (NOT is_pending) AS settled_runs,
    coalesce(sum(success) FILTER (NOT is_pending), 0)::BIGINT AS successes,
    count(*) FILTER (NOT is_pending AND outcome IS NOT DISTINCT FROM 'escalated') AS escalations,
    count(cost_usd) AS priced_runs,
    coalesce(sum(success) FILTER (cost_usd IS NOT NULL), 0)::BIGINT AS priced_successes,
    sum(cost_usd) AS cost_usd,
    sum(cost_usd * cost_usd) AS cost_squared,
    sum(cost_usd * success) AS cost_of_successes_usd,
    sum(model_cost_usd) FILTER (cost_usd IS NOT NULL) AS model_cost_usd,
    sum(tool_cost_usd) FILTER (cost_usd IS NOT NULL) AS tool_cost_usd,
    sum(escalation_cost_usd) FILTER (cost_usd IS NOT NULL) AS escalation_cost_usd,
    coalesce(sum(priceable_model_calls) FILTER (NOT is_pending), 0)::BIGINT AS priceable_model_calls,
    coalesce(sum(priced_model_calls) FILTER (NOT is_pending), 0)::BIGINT AS priced_model_calls,
    sum(input_tokens)::BIGINT AS input_tokens,
    sum(cached_input_tokens)::BIGINT AS cached_input_tokens,
    sum(output_tokens)::BIGINT AS output_tokens,
    coalesce(sum(tool_calls), 0)::BIGINT AS tool_calls,
    coalesce(sum(tool_errors), 0)::BIGINT AS tool_errors,
    count(*) FILTER (list_contains(flags, 'cached_tokens_not_reported')) AS runs_without_cached_tokens,
    count(*) FILTER (list_contains(flags, 'usage_not_reported')) AS runs_without_usage,
    count(*) FILTER (list_contains(flags, 'failed_calls_not_reported')) AS runs_without_failed_calls,
    count(*) FILTER (list_contains(flags, 'tool_spans_not_reported')) AS runs_without_tool_spans
FROM windowed
GROUP BY span, bucket_at, workflow, model
ORDER BY span, bucket_at, workflow, model

-- Additive sums of runs and of their policy decisions, from which every ratio on the pages is made (dashboards/cohorts.py).
-- grain: span ('current' or 'previous'), bucket_at, workflow, model
-- $1, $2 previous start and end; $3, $4 current start and end, whole hours; $5 workflow or null; $6 environment or null; $7 bucket
--   width in seconds; $8 team or null; $9 release or null.
-- A run is settled when it is not pending; a run is priced when its cost is known. Cost per success is made of settled and
-- priced runs alone, on both sides; the sums of squares and products serve its interval.
SELECT
    CASE WHEN hour_at >= $3 THEN 'current' ELSE 'previous' END AS span,
    time_bucket(to_seconds($7::BIGINT), hour_at, TIMESTAMP '2000-01-03') AS bucket_at,
    workflow,
    model,
    sum(runs)::BIGINT AS runs,
    sum(runs - settled_runs)::BIGINT AS pending_runs,
    sum(settled_runs)::BIGINT AS settled_runs,
    sum(successes)::BIGINT AS successes,
    sum(escalations)::BIGINT AS escalations,
    sum(priced_runs)::BIGINT AS priced_runs,
    sum(priced_successes)::BIGINT AS priced_successes,
    sum(cost_usd) AS cost_usd,
    sum(cost_squares) AS cost_squared,
    sum(success_cost_usd) AS cost_of_successes_usd,
    sum(model_cost_usd) AS model_cost_usd,
    sum(tool_cost_usd) AS tool_cost_usd,
    sum(escalation_cost_usd) AS escalation_cost_usd,
    sum(priceable_calls)::BIGINT AS priceable_model_calls,
    sum(priced_calls)::BIGINT AS priced_model_calls,
    sum(input_tokens)::BIGINT AS input_tokens,
    sum(cached_input_tokens)::BIGINT AS cached_input_tokens,
    sum(output_tokens)::BIGINT AS output_tokens,
    sum(tool_calls)::BIGINT AS tool_calls,
    sum(tool_errors)::BIGINT AS tool_errors,
    sum(runs_without_cached_tokens)::BIGINT AS runs_without_cached_tokens,
    sum(runs_without_usage)::BIGINT AS runs_without_usage,
    sum(runs_without_failed_calls)::BIGINT AS runs_without_failed_calls,
    sum(runs_without_tool_spans)::BIGINT AS runs_without_tool_spans,
    sum(decisions)::BIGINT AS decisions,
    sum(allowed_decisions)::BIGINT AS allowed
FROM runs_hourly
WHERE ((hour_at >= $3 AND hour_at < $4) OR (hour_at >= $1 AND hour_at < $2))
    AND ($5::VARCHAR IS NULL OR workflow = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR environment = $6::VARCHAR)
    AND ($8::VARCHAR IS NULL OR team = $8::VARCHAR)
    AND ($9::VARCHAR IS NULL OR release = $9::VARCHAR)
GROUP BY span, bucket_at, workflow, model
ORDER BY span, bucket_at, workflow, model

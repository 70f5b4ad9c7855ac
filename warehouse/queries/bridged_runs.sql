-- What the runs on one side of a bridge add up to.
-- grain: workflow
-- $workflow, null for all; $since and $until bound the start (UTC, until excluded), $model and $release the run's own; each null for all.
-- runs, successes, tool_usd, escalation_usd: of settled runs whose cost is known. Shadow runs are left out.
SELECT
    workflow,
    count(*) FILTER (is_settled AND cost_usd IS NOT NULL) AS runs,
    count(*) FILTER (is_settled AND cost_usd IS NOT NULL AND outcome = 'success') AS successes,
    coalesce(sum(tool_cost_usd) FILTER (is_settled AND cost_usd IS NOT NULL), 0)::DOUBLE AS tool_usd,
    coalesce(sum(escalation_cost_usd) FILTER (is_settled AND cost_usd IS NOT NULL), 0)::DOUBLE AS escalation_usd,
    coalesce(sum(cost_usd) FILTER (is_settled), 0)::DOUBLE AS cost_usd,
    count(*) AS all_runs,
    count(*) FILTER (NOT is_settled) AS pending_runs,
    count(*) FILTER (is_settled AND cost_usd IS NULL) AS unpriced_runs,
    count(*) FILTER (is_settled AND cost_usd IS NOT NULL AND tool_calls > 0 AND tool_cost_usd IS NULL) AS runs_without_tool_cost
FROM (SELECT *, NOT is_pending AS is_settled FROM runs)
WHERE ($workflow::VARCHAR IS NULL OR workflow = $workflow::VARCHAR)
    AND mode IS DISTINCT FROM 'shadow'
    AND ($since::TIMESTAMP IS NULL OR started_at >= $since::TIMESTAMP)
    AND ($until::TIMESTAMP IS NULL OR started_at < $until::TIMESTAMP)
    AND ($model::VARCHAR IS NULL OR model = $model::VARCHAR)
    AND ($release::VARCHAR IS NULL OR release = $release::VARCHAR)
GROUP BY workflow
ORDER BY workflow

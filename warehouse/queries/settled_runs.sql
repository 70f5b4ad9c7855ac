-- Settled runs, with what they cost beside their model calls.
-- grain: run_id
-- parameters: as in calls_with_outcomes
SELECT
    run_id,
    workflow,
    outcome IS NOT DISTINCT FROM 'success' AS is_success,
    coalesce(tool_cost_usd, 0) + coalesce(escalation_cost_usd, 0) AS beside_usd
FROM runs
WHERE NOT is_pending
    AND mode IS DISTINCT FROM 'shadow'
    AND ($workflow::VARCHAR IS NULL OR workflow = $workflow::VARCHAR)
    AND ($since::TIMESTAMP IS NULL OR started_at >= $since::TIMESTAMP)
    AND ($until::TIMESTAMP IS NULL OR started_at < $until::TIMESTAMP)

-- The columns of runs that the check looks at.
-- grain: run_id
SELECT run_id, workflow, started_at, is_pending, model_calls, model_cost_usd, tool_cost_usd, escalation_cost_usd, cost_usd
FROM runs

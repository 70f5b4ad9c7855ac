-- The runs of one workflow that cost most in a window.
-- grain: run_id
-- $1, $2 start and end; $3 workflow; $4 environment, $5 team, $6 release, each or null; $7 rows
SELECT run_id, started_at, release, model, outcome, is_pending, model_calls, tool_calls, input_tokens, output_tokens, cost_usd
FROM runs
WHERE started_at >= $1 AND started_at < $2
    AND workflow = $3::VARCHAR
    AND ($4::VARCHAR IS NULL OR environment = $4::VARCHAR)
    AND ($5::VARCHAR IS NULL OR team = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR release = $6::VARCHAR)
    AND cost_usd IS NOT NULL
ORDER BY cost_usd DESC, run_id
LIMIT $7

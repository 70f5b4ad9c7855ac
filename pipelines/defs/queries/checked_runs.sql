-- The columns of runs that the check looks at.
-- grain: run_id
-- parameters: $since: the first day that retention left whole; null when all is; $all: every run, not the affected ones alone
-- A start that the stream has flagged (time_missing, time_out_of_range) is known to be wrong and counted there: null here.
SELECT
    run_id,
    workflow,
    CASE WHEN NOT list_has_any(quality_flags, ['time_missing', 'time_out_of_range']) THEN started_at END AS started_at,
    model_calls,
    priced_model_calls,
    failed_model_calls,
    tool_calls - requested_tool_calls AS tool_calls,
    tool_errors,
    steps,
    input_tokens,
    cached_input_tokens,
    output_tokens,
    cost_usd
FROM runs
WHERE ($since::DATE IS NULL OR started_at IS NULL OR started_at >= $since::DATE)
    AND ($all OR run_id IN (SELECT run_id FROM temp.main.affected_runs))

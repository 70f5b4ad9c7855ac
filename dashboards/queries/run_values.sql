-- What runs of one workflow measured around an onset, in buckets: the evidence behind a signal about runs.
-- grain: bucket_at
-- $1 workflow, $2 and $3 first and last moment, $4 bucket width in seconds, $5 metric as the signal names it
-- Values are means over live runs in the metric's unit; a metric that runs do not carry gives no rows.
SELECT
    time_bucket(to_seconds($4::BIGINT), started_at, TIMESTAMP '2000-01-03') AS bucket_at,
    avg(value) AS value,
    count(value) AS observations
FROM (
    SELECT
        started_at,
        CASE $5::VARCHAR
            WHEN 'steps_per_run' THEN steps::DOUBLE
            WHEN 'duration_ms' THEN duration_ms
            WHEN 'tool_calls_per_run' THEN tool_calls - requested_tool_calls
            WHEN 'cost_usd_per_run' THEN model_cost_usd
            WHEN 'tokens_per_call'
                THEN (coalesce(input_tokens, 0) + coalesce(output_tokens, 0)) / nullif(model_calls - costless_model_calls, 0)
            WHEN 'input_tokens_per_call' THEN input_tokens / nullif(model_calls - costless_model_calls, 0)
            WHEN 'cached_ratio' THEN cached_input_tokens / nullif(input_tokens, 0)
            WHEN 'success' THEN CASE WHEN outcome IS NOT NULL THEN (outcome = 'success')::INTEGER::DOUBLE END
            WHEN 'wasted'
                THEN CASE WHEN model_cost_usd > 0 AND outcome IS NOT NULL THEN (outcome <> 'success')::INTEGER::DOUBLE END
            WHEN 'escalated' THEN CASE WHEN outcome IS NOT NULL THEN (outcome = 'escalated')::INTEGER::DOUBLE END
        END AS value
    FROM runs
    WHERE workflow = $1::VARCHAR AND started_at >= $2 AND started_at < $3 AND mode IS DISTINCT FROM 'shadow'
)
WHERE value IS NOT NULL
GROUP BY 1
ORDER BY 1

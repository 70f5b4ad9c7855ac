-- Additive sums of tool calls, from which error ratios with intervals are made (dashboards/calling.py).
-- grain: span ('current' or 'previous'), bucket_at, workflow, tool_name
-- $1 … $9 as in cohorts.sql; the earlier window ends with the full hour.
SELECT
    CASE WHEN hour_at >= $3 THEN 'current' ELSE 'previous' END AS span,
    time_bucket(to_seconds($7::BIGINT), hour_at, TIMESTAMP '2000-01-03') AS bucket_at,
    workflow,
    tool_name,
    sum(calls)::BIGINT AS calls,
    sum(runs)::BIGINT AS runs,
    sum(spanned_calls)::BIGINT AS spanned_calls,
    sum(errors)::BIGINT AS errors,
    sum(spanned_calls_squared)::DOUBLE AS spanned_calls_squared,
    sum(errors_squared)::DOUBLE AS errors_squared,
    sum(errors_by_calls)::DOUBLE AS errors_by_calls,
    sum(timed_calls)::BIGINT AS timed_calls,
    sum(duration_ms) AS duration_ms,
    sum(read_calls)::BIGINT AS read_calls,
    sum(write_calls)::BIGINT AS write_calls,
    sum(irreversible_calls)::BIGINT AS irreversible_calls,
    max(last_at) AS last_at
FROM tool_calls_hourly
WHERE ((hour_at >= $3 AND hour_at < $4) OR (hour_at >= $1 AND hour_at < $2))
    AND ($5::VARCHAR IS NULL OR workflow = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR environment = $6::VARCHAR)
    AND ($8::VARCHAR IS NULL OR team = $8::VARCHAR)
    AND ($9::VARCHAR IS NULL OR release = $9::VARCHAR)
GROUP BY ALL
ORDER BY span, bucket_at, workflow, tool_name

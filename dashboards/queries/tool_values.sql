-- Share of runs whose first call of one tool failed, around an onset, in buckets: the evidence behind a tool signal.
-- grain: bucket_at
-- $1 workflow, $2 and $3 first and last moment, $4 bucket width in seconds, $5 tool
SELECT
    time_bucket(to_seconds($4::BIGINT), started_at, TIMESTAMP '2000-01-03') AS bucket_at,
    avg((status = 'error')::INTEGER::DOUBLE) AS value,
    count(*) AS observations
FROM (
    SELECT started_at, status
    FROM tool_calls
    WHERE workflow = $1::VARCHAR AND started_at >= $2 AND started_at < $3 AND tool_name = $5::VARCHAR
    QUALIFY row_number() OVER (PARTITION BY run_id ORDER BY started_at, span_id) = 1
)
GROUP BY 1
ORDER BY 1

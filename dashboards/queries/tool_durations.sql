-- Calls of tools by duration: how many in each bucket of an eighth of a doubling, from which quantiles are read.
-- grain: span, bucket_at, workflow, tool_name, bucket; bucket_at and workflow are null unless one tool is asked for
-- $1 … $9 as in cohorts.sql; $10 tool or null.
SELECT
    span,
    bucket_at,
    workflow,
    tool_name,
    entry.key AS bucket,
    sum(entry.value)::BIGINT AS calls
FROM (
    SELECT
        CASE WHEN hour_at >= $3 THEN 'current' ELSE 'previous' END AS span,
        CASE
            WHEN $10::VARCHAR IS NOT NULL THEN time_bucket(to_seconds($7::BIGINT), hour_at, TIMESTAMP '2000-01-03')
        END AS bucket_at,
        CASE WHEN $10::VARCHAR IS NOT NULL THEN workflow END AS workflow,
        tool_name,
        unnest(map_entries(durations)) AS entry
    FROM tool_calls_hourly
    WHERE ((hour_at >= $3 AND hour_at < $4) OR (hour_at >= $1 AND hour_at < $2))
        AND ($5::VARCHAR IS NULL OR workflow = $5::VARCHAR)
        AND ($6::VARCHAR IS NULL OR environment = $6::VARCHAR)
        AND ($8::VARCHAR IS NULL OR team = $8::VARCHAR)
        AND ($9::VARCHAR IS NULL OR release = $9::VARCHAR)
        AND ($10::VARCHAR IS NULL OR tool_name = $10::VARCHAR)
)
GROUP BY ALL
ORDER BY ALL

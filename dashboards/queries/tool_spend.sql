-- Calls of each tool, and what they cost at the catalog's price per call; null where it has none.
-- grain: span ('current' or 'previous'), bucket_at, tool_name
-- $1 … $9 as in cohorts.sql; the earlier window ends with the full hour.
SELECT
    CASE WHEN h.hour_at >= $3 THEN 'current' ELSE 'previous' END AS span,
    time_bucket(to_seconds($7::BIGINT), h.hour_at, TIMESTAMP '2000-01-03') AS bucket_at,
    h.tool_name,
    sum(h.calls)::BIGINT AS calls,
    any_value(c.cost_per_call_usd) AS cost_per_call_usd,
    sum(h.calls)::BIGINT * any_value(c.cost_per_call_usd) AS cost_usd
FROM tool_calls_hourly AS h
LEFT JOIN catalog_tools AS c USING (tool_name)
WHERE ((h.hour_at >= $3 AND h.hour_at < $4) OR (h.hour_at >= $1 AND h.hour_at < $2))
    AND ($5::VARCHAR IS NULL OR h.workflow = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR h.environment = $6::VARCHAR)
    AND ($8::VARCHAR IS NULL OR h.team = $8::VARCHAR)
    AND ($9::VARCHAR IS NULL OR h.release = $9::VARCHAR)
GROUP BY span, bucket_at, h.tool_name
ORDER BY span, bucket_at, h.tool_name

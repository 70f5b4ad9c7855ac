-- Argument shapes and errors of tools in both windows, and since when each is known at all.
-- grain: tool_name, what, variant
-- $1, $2 previous start and end; $3, $4 current start and end; $5 workflow, $6 environment, $7 team, $8 release, $9 tool, or null.
-- Whole days: the earlier window ends with its last one.
SELECT
    tool_name,
    what,
    variant,
    coalesce(sum(calls) FILTER (date >= $3::DATE AND date <= $4::DATE), 0)::BIGINT AS calls,
    coalesce(sum(calls) FILTER (date >= $1::DATE AND date <= $2::DATE AND date < $3::DATE), 0)::BIGINT AS calls_before,
    min(first_at) AS first_at,
    max(last_at) AS last_at
FROM tool_variants_daily
WHERE date <= $4::DATE
    AND ($5::VARCHAR IS NULL OR workflow = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR environment = $6::VARCHAR)
    AND ($7::VARCHAR IS NULL OR team = $7::VARCHAR)
    AND ($8::VARCHAR IS NULL OR release = $8::VARCHAR)
    AND ($9::VARCHAR IS NULL OR tool_name = $9::VARCHAR)
GROUP BY tool_name, what, variant
ORDER BY tool_name, what, calls DESC, variant

-- What runs must add up to, by the spans, as of one snapshot; but for runs that began before the first day that retention
-- left whole, of which spans may remain.
-- grain: one row
-- parameters: ? the lake's snapshot; ? three times: that day; null when all is whole
WITH run AS (
    SELECT
        run_id,
        min(started_at) FILTER (NOT list_contains(coalesce(quality_flags, []), 'time_out_of_range')) AS started_at,
        count(*) FILTER (kind = 'model') AS model_calls,
        count(*) FILTER (kind = 'tool') AS tool_calls
    FROM spans AT (VERSION => ?)
    GROUP BY run_id
)
SELECT
    count(*) AS runs,
    coalesce(sum(model_calls), 0)::BIGINT AS model_calls,
    coalesce(sum(tool_calls), 0)::BIGINT AS tool_calls
FROM run
WHERE
    ?::DATE IS NULL
    OR (
        coalesce(started_at >= ?::DATE, true)
        AND NOT EXISTS (SELECT 1 FROM runs AS r WHERE r.run_id = run.run_id AND r.started_at < ?::DATE)
    )

-- What runs must add up to, by the spans, as of one snapshot; but for runs that began before the first day that retention
-- left whole, of which spans may remain.
-- grain: one row
-- parameters: $snapshot of the lake; $since: that day; null when all is whole; $all: every run, not the affected ones alone; $begin: none
-- of their spans starts earlier; null where that is not known
WITH run AS (
    SELECT
        run_id,
        min(started_at) FILTER (NOT list_contains(coalesce(quality_flags, []), 'time_out_of_range')) AS started_at,
        count(*) FILTER (kind = 'model') AS model_calls,
        count(*) FILTER (kind = 'tool') AS tool_calls
    FROM spans AT (VERSION => $snapshot)
    WHERE ($all OR run_id IN (SELECT run_id FROM temp.main.affected_runs))
        AND ($begin::TIMESTAMP IS NULL OR started_at >= $begin::TIMESTAMP)
    GROUP BY run_id
)
SELECT
    count(*) AS runs,
    coalesce(sum(model_calls), 0)::BIGINT AS model_calls,
    coalesce(sum(tool_calls), 0)::BIGINT AS tool_calls
FROM run
WHERE
    $since::DATE IS NULL
    OR (
        coalesce(started_at >= $since::DATE, true)
        AND NOT EXISTS (SELECT 1 FROM runs AS r WHERE r.run_id = run.run_id AND r.started_at < $since::DATE)
    )

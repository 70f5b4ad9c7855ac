-- First start of a span of the affected runs, whether that is certain, how many they are, and how many runs there are.
-- parameters: $told: whether the feed of runs is read up to now: then rows that it tells of need not be looked for
WITH sought AS (
    SELECT run_id
    FROM temp.main.affected_runs
    WHERE run_id NOT IN (SELECT run_id FROM temp.main.affected_runs WHERE is_known IS NOT NULL)
        AND NOT ($told AND run_id IN (SELECT run_id FROM temp.main.changed_runs WHERE table_name = 'runs'))
),
known AS (
    SELECT
        started_at,
        started_at IS NOT NULL AND NOT list_has_any(
            coalesce(quality_flags, []), ['time_out_of_range', 'time_missing', 'negative_duration']
        ) AS is_known
    FROM lake.main.runs
    WHERE run_id IN (SELECT run_id FROM sought)
    UNION ALL
    SELECT started_at, is_known FROM temp.main.affected_runs WHERE is_known IS NOT NULL
    UNION ALL
    SELECT started_at, is_known
    FROM temp.main.changed_runs
    WHERE (table_name = 'spans' OR (table_name = 'runs' AND $told))
        AND run_id IN (SELECT run_id FROM temp.main.affected_runs)
)
SELECT
    min(started_at),
    coalesce(bool_and(is_known), true),
    (SELECT count(DISTINCT run_id) FROM temp.main.affected_runs),
    (SELECT count(*) FROM lake.main.runs)
FROM known

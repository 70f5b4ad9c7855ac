-- First start of a span of the affected runs, whether that is certain, how many they are, and how many runs there are.
WITH known AS (
    SELECT
        started_at,
        started_at IS NOT NULL AND NOT list_has_any(
            coalesce(quality_flags, []), ['time_out_of_range', 'time_missing', 'negative_duration']
        ) AS is_known
    FROM lake.main.runs
    WHERE run_id IN (SELECT run_id FROM memory.main.affected_runs)
    UNION ALL
    SELECT started_at, is_known
    FROM memory.main.changed_runs
    WHERE table_name = 'spans' AND run_id IN (SELECT run_id FROM memory.main.affected_runs)
)
SELECT
    min(started_at),
    coalesce(bool_and(is_known), true),
    (SELECT count(*) FROM memory.main.affected_runs),
    (SELECT count(*) FROM lake.main.runs)
FROM known

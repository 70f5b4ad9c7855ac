-- First start of a span of the affected runs, whether that is certain, how many they are, and how many runs there are.
WITH known AS (
    SELECT started_at, quality_flags
    FROM lake.main.runs
    WHERE run_id IN (SELECT run_id FROM memory.main.affected_runs)
    UNION ALL
    SELECT started_at, quality_flags
    FROM ducklake_table_changes('lake', 'main', 'spans', $since, $now)
)
SELECT
    min(started_at),
    NOT coalesce(
        bool_or(started_at IS NULL OR list_has_any(
            coalesce(quality_flags, []), ['time_out_of_range', 'time_missing', 'negative_duration']
        )), false
    ),
    (SELECT count(*) FROM memory.main.affected_runs),
    (SELECT count(*) FROM lake.main.runs)
FROM known

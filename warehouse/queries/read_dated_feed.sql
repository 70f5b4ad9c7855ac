-- Runs of changed rows, by the day on which they started before, or do now; and whether the starts can be trusted.
-- parameters: $table: spans or runs; $since, $now: first and last snapshot
INSERT INTO temp.main.changed_runs
SELECT
    $table,
    run_id,
    min(started_at),
    bool_and(started_at IS NOT NULL AND NOT list_has_any(
        coalesce(quality_flags, []), ['time_out_of_range', 'time_missing', 'negative_duration']
    ))
FROM ducklake_table_changes('lake', 'main', $table, $since, $now)
WHERE run_id IS NOT NULL
GROUP BY run_id, started_at::DATE

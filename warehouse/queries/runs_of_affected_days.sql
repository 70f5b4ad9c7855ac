-- All runs that start on one of the days, with their start and whether it can be trusted.
-- parameters: $first, $next: the first of them, and the day after the last
INSERT INTO temp.main.affected_runs
SELECT
    run_id,
    started_at,
    NOT list_has_any(coalesce(quality_flags, []), ['time_out_of_range', 'time_missing', 'negative_duration'])
FROM lake.main.runs
WHERE started_at >= $first::TIMESTAMP AND started_at < $next::TIMESTAMP
    AND started_at::DATE IN (SELECT date FROM temp.main.affected_days)

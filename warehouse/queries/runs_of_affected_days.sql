-- All runs that start on one of the days.
-- parameters: $first, $next: the first of them, and the day after the last
INSERT OR IGNORE INTO memory.main.affected_runs
SELECT run_id
FROM lake.main.runs
WHERE started_at >= $first::TIMESTAMP AND started_at < $next::TIMESTAMP
    AND started_at::DATE IN (SELECT date FROM memory.main.affected_days)

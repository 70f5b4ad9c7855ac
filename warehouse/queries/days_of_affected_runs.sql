-- Days on which affected runs start; where the feed tells of a run's row, it tells its day too (days_of_changed_runs).
-- parameters: $told: whether the feed of runs is read up to now
INSERT INTO temp.main.affected_days
SELECT DISTINCT started_at::DATE
FROM lake.main.runs
WHERE started_at IS NOT NULL AND run_id IN (
    SELECT run_id
    FROM temp.main.affected_runs
    WHERE NOT ($told AND run_id IN (SELECT run_id FROM temp.main.changed_runs WHERE table_name = 'runs'))
)

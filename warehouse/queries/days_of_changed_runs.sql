-- Days on which runs that changed started before, and do now.
INSERT INTO temp.main.affected_days
SELECT DISTINCT started_at::DATE
FROM temp.main.changed_runs
WHERE table_name = 'runs' AND started_at IS NOT NULL

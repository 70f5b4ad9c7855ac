-- Days on which affected runs start.
INSERT INTO memory.main.affected_days
SELECT DISTINCT started_at::DATE
FROM lake.main.runs
WHERE run_id IN (SELECT run_id FROM memory.main.affected_runs) AND started_at IS NOT NULL

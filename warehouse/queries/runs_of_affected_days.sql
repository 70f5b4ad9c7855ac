-- All runs that start on one of the days.
INSERT OR IGNORE INTO memory.main.affected_runs
SELECT run_id FROM lake.main.runs WHERE started_at::DATE IN (SELECT date FROM memory.main.affected_days)

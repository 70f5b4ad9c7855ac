-- How many runs are affected, and how many there are.
SELECT (SELECT count(*) FROM memory.main.affected_runs), (SELECT count(*) FROM lake.main.runs)

-- Days on which runs that changed started before, and do now.
INSERT INTO memory.main.affected_days
SELECT DISTINCT started_at::DATE
FROM ducklake_table_changes('lake', 'main', 'runs', $since, $now)
WHERE started_at IS NOT NULL

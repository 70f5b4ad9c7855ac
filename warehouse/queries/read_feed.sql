-- Runs of changed rows.
-- parameters: $table; $since, $now: first and last snapshot
INSERT INTO temp.main.changed_runs (table_name, run_id)
SELECT DISTINCT $table, run_id
FROM ducklake_table_changes('lake', 'main', $table, $since, $now)
WHERE run_id IS NOT NULL

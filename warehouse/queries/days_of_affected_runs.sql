-- Days on which affected runs start, and those on which they started before they changed.
CREATE OR REPLACE TABLE memory.main.affected_days AS
SELECT DISTINCT started_at::DATE AS date
FROM (
    SELECT started_at FROM ducklake_table_changes('lake', 'main', 'runs', $since, $now)
    UNION ALL
    SELECT started_at FROM lake.main.runs WHERE run_id IN (SELECT run_id FROM memory.main.affected_runs)
)
WHERE started_at IS NOT NULL

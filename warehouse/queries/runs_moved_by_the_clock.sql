-- Runs whose row changes as time passes: an outcome may still come for them, or their root span.
INSERT OR IGNORE INTO memory.main.affected_runs
SELECT run_id FROM lake.main.runs WHERE is_pending OR closed_by IS NULL

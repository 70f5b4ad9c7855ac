-- Runs that show a signal: the workflow's runs between onset and alarm, newest first.
-- parameters: $workflow, $onset, $until (UTC), $most
SELECT run_id
FROM spans
WHERE workflow = $workflow
  AND parent_span_id IS NULL
  AND started_at BETWEEN $onset AND $until
ORDER BY started_at DESC, run_id
LIMIT $most

-- Runs that show a signal: the workflow's runs between onset and alarm, newest first.
-- Those that ended by then: all of these are in the warehouse when the watermark has passed the alarm, while of the runs
-- still under way it depends on the batches how much is there.
-- parameters: $workflow, $onset, $until (UTC), $most
SELECT run_id
FROM spans
WHERE workflow = $workflow
  AND parent_span_id IS NULL
  AND started_at BETWEEN $onset AND $until
  AND ended_at <= $until
ORDER BY started_at DESC, run_id
LIMIT $most

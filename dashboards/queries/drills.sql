-- Drills as the traces saw them, the newest first; at most 100.
-- grain: drill_id
-- $1 workflow or null
SELECT *
FROM drills_measured
WHERE $1::VARCHAR IS NULL OR workflow = $1::VARCHAR
ORDER BY started_at DESC, drill_id
LIMIT 100

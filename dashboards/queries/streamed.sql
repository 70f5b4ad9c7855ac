-- Start of the newest span since $1; null when the marts have it already. Spans with a broken clock say nothing of it.
SELECT max(started_at) AS latest_at
FROM spans
WHERE started_at >= $1 AND NOT list_has_any(coalesce(quality_flags, []), ['time_missing', 'time_out_of_range'])

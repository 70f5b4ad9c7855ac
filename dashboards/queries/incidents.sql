-- Incidents that were opened since the earlier window began, or that are not resolved; newest first.
-- grain: incident_id
-- $1 start of the earlier window, $2 end of the current one, $3 workflow or null
SELECT *
FROM incidents
WHERE (opened_at >= $1 OR state <> 'resolved')
    AND ($2::TIMESTAMP IS NULL OR opened_at < $2::TIMESTAMP)
    AND ($3::VARCHAR IS NULL OR workflow = $3::VARCHAR)
ORDER BY opened_at DESC, incident_id
LIMIT 500

-- Incidents that were opened since the earlier window began, or that are not over; newest first.
-- grain: incident_id
-- $1 start of the earlier window, $2 workflow or null
SELECT *
FROM incidents
WHERE (opened_at >= $1 OR state NOT IN ('resolved', 'merged'))
    AND ($2::VARCHAR IS NULL OR workflow = $2::VARCHAR)
ORDER BY opened_at DESC, incident_id
LIMIT 500

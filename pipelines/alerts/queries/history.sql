-- What changed about one incident, in the order in which it was said or found.
-- grain: change_id
-- parameters: 1 incident_id
SELECT *
FROM incident_changes
WHERE incident_id = $1
ORDER BY noted_at, "at", kind <> 'opened', change_id

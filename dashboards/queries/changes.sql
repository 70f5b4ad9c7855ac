-- What happened to an incident, the latest first: at most as many changes as a page shows.
-- grain: change_id
-- $1 incident id, $2 rows
SELECT kind, "at", said_by, why, silenced_until, other_incident_id, noted_at
FROM incident_changes
WHERE incident_id = $1 AND kind <> 'signal_joined'
ORDER BY noted_at DESC, "at" DESC, change_id
LIMIT $2

-- The latest judgement about each of the given incidents.
-- grain: incident_id
-- $1 list of incident ids
SELECT *
FROM acknowledgements
WHERE list_contains($1::VARCHAR[], incident_id)
QUALIFY row_number() OVER (PARTITION BY incident_id ORDER BY stated_at DESC, acknowledgement_id DESC) = 1
ORDER BY incident_id

-- Whether an incident is among those that the reader sees. One row.
-- $1 incident id
SELECT EXISTS (SELECT 1 FROM incidents WHERE incident_id = $1::VARCHAR) AS is_seen

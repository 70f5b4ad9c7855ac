-- Signals of one incident, oldest first.
-- grain: signal_id
SELECT * FROM signals WHERE incident_id = $1 ORDER BY "at", signal_id

-- Signals of the given incidents, the strongest first.
-- grain: signal_id
-- $1 list of incident ids
SELECT *
FROM signals
WHERE list_contains($1::VARCHAR[], incident_id)
ORDER BY incident_id, log_e DESC NULLS LAST, "at", signal_id

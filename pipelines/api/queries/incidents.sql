-- Incidents as the API lists them, the latest first.
-- grain: incident_id
-- parameters: 1 states, 2 workflow or glob, 3 families, 4 severities, 5 opened at or after (UTC), 6 and 7 opened_at and
-- incident_id of the last one of the page before, 8 rows, 9 one incident_id; null for any
SELECT
    incident_id, workflow, family, families, severity, state, headline, onset_at, opened_at, last_signal_at, signals, run_ids,
    silenced_until, merged_into, j.judgement AS judged, updated_at
FROM incidents
LEFT JOIN (
    SELECT incident_id, arg_max({'judgement': judgement}, (stated_at, acknowledgement_id)) AS j
    FROM acknowledgements
    GROUP BY incident_id
) USING (incident_id)
WHERE ($1::VARCHAR[] IS NULL OR list_contains($1::VARCHAR[], state))
    AND ($2::VARCHAR IS NULL OR workflow = $2 OR workflow GLOB $2)
    AND ($3::VARCHAR[] IS NULL OR list_has_any($3::VARCHAR[], families))
    AND ($4::VARCHAR[] IS NULL OR list_contains($4::VARCHAR[], severity))
    AND ($5::TIMESTAMP IS NULL OR opened_at >= $5)
    AND ($6::TIMESTAMP IS NULL OR (opened_at, incident_id) < ($6, $7::VARCHAR))
    AND ($9::VARCHAR IS NULL OR incident_id = $9)
ORDER BY opened_at DESC, incident_id DESC
LIMIT $8

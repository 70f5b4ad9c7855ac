-- What a page depends on besides its filters, in one row: it changes when a refresh or an incident changed something.
SELECT
    (SELECT max(opened_at) FROM incidents) AS incident_opened_at,
    (SELECT max(updated_at) FROM incidents) AS incident_updated_at,
    (SELECT count(*) FROM incidents) AS incidents

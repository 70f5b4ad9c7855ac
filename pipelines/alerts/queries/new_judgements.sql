-- The judgements that no detector has followed yet, in the order in which they were said.
-- grain: acknowledgement_id
SELECT acknowledgement_id, incident_id
FROM acknowledgements
WHERE acknowledgement_id NOT IN (SELECT acknowledgement_id FROM applied_acknowledgements)
ORDER BY stated_at, acknowledgement_id

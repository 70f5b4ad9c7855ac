-- One row where a judgement waits for the detectors: asked for every few seconds, so as little as possible is read.
SELECT 1
FROM acknowledgements
WHERE acknowledgement_id NOT IN (SELECT acknowledgement_id FROM applied_acknowledgements)
LIMIT 1

-- The judgements that have a place in the order of observations, in that order, with the streams that they are about.
-- grain: acknowledgement_id
SELECT
    a.acknowledgement_id,
    a.incident_id,
    a.judgement,
    p.watermark_at,
    a.stated_at,
    list(DISTINCT {'workflow': s.workflow, 'family': s.family, 'metric': s.metric, 'dimension': s.dimension})
        FILTER (s.signal_id IS NOT NULL) AS streams
FROM applied_acknowledgements AS p
JOIN acknowledgements AS a USING (acknowledgement_id)
LEFT JOIN signals AS s ON s.incident_id = a.incident_id AND s."at" <= p.watermark_at
GROUP BY ALL
ORDER BY p.watermark_at, a.stated_at, a.acknowledgement_id

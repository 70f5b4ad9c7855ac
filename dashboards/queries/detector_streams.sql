-- How far the detectors' streams are, and which metrics the catalog switches off.
-- grain: workflow, metric; family and counts are null where a metric is switched off and has no stream
-- $1 workflow or null
WITH said AS (
    SELECT workflow, CASE WHEN json_valid(drift) THEN drift END AS drift FROM catalog_workflows
),
off AS (
    SELECT c.workflow, s.key AS metric
    FROM said AS c, json_each(c.drift, '$.streams') AS s
    WHERE s.value = 'false'
)
SELECT
    coalesce(d.workflow, o.workflow) AS workflow,
    d.family,
    coalesce(d.metric, o.metric) AS metric,
    d.needs_data,
    d.warming_up,
    d.watching,
    d.alarmed,
    d.retired,
    o.metric IS NOT NULL AS is_off,
    d.noted_at
FROM detector_streams AS d
FULL JOIN off AS o ON o.workflow = d.workflow AND o.metric = d.metric
WHERE $1::VARCHAR IS NULL OR coalesce(d.workflow, o.workflow) = $1::VARCHAR
ORDER BY 1, 2, 3

-- What was spent in a period, by one tag: all runs with a known cost, shadow and pending ones too, for they cost as well.
-- grain: workflow, tag
-- parameters: $by 'workflow', 'team', 'cost_center', 'model', 'release', 'agent', 'environment', 'mode', or null: then $key, a name
-- among the attributes of the root span (null where the run has none); $since and $until bound the run's start (UTC, until excluded),
-- each null for all
WITH tagged AS (
    SELECT run_id, min(json_extract_string(attributes, '$."' || replace($key::VARCHAR, '"', '\"') || '"')) AS tag
    FROM spans
    WHERE $by::VARCHAR IS NULL AND parent_span_id IS NULL
    GROUP BY run_id
)
SELECT
    r.workflow,
    CASE $by::VARCHAR
        WHEN 'workflow' THEN r.workflow
        WHEN 'team' THEN r.team
        WHEN 'cost_center' THEN r.cost_center
        WHEN 'model' THEN r.model
        WHEN 'release' THEN r.release
        WHEN 'agent' THEN r.agent
        WHEN 'environment' THEN r.environment
        WHEN 'mode' THEN coalesce(r.mode, 'live')
        ELSE t.tag
    END AS tag,
    count(*) AS runs,
    count(r.cost_usd) AS priced_runs,
    sum(r.cost_usd)::DOUBLE AS cost_usd
FROM runs AS r
LEFT JOIN tagged AS t USING (run_id)
WHERE r.started_at IS NOT NULL
    AND ($since::TIMESTAMP IS NULL OR r.started_at >= $since::TIMESTAMP)
    AND ($until::TIMESTAMP IS NULL OR r.started_at < $until::TIMESTAMP)
GROUP BY ALL
ORDER BY ALL

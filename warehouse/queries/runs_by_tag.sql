-- The runs of a period, each with one tag.
-- grain: run_id
-- parameters: $column, a column of `runs` that is the tag, or null: then $key, a name among the attributes of the root span, else of its
-- resource; $since and $until bound the run's start (UTC, until excluded), each null for all
-- columns: those of `runs`, and tag: null where the run has none.
WITH tagged AS (
    SELECT
        run_id,
        min(coalesce(json_extract_string(attributes, '$.' || quoted), json_extract_string(attributes, '$.resource.' || quoted))) AS tag
    FROM (SELECT *, '"' || replace($key::VARCHAR, '"', '\"') || '"' AS quoted FROM spans)
    WHERE $column::VARCHAR IS NULL AND parent_span_id IS NULL
    GROUP BY run_id
)
SELECT
    r.*,
    CASE $column::VARCHAR
        WHEN 'workflow' THEN r.workflow
        WHEN 'team' THEN r.team
        WHEN 'cost_center' THEN r.cost_center
        WHEN 'model' THEN r.model
        WHEN 'release' THEN r.release
        WHEN 'agent' THEN r.agent
        WHEN 'agent_version' THEN r.agent_version
        WHEN 'prompt_version' THEN r.prompt_version
        WHEN 'policy_version' THEN r.policy_version
        WHEN 'environment' THEN r.environment
        WHEN 'mode' THEN coalesce(r.mode, 'live')
        ELSE t.tag
    END AS tag
FROM runs AS r
LEFT JOIN tagged AS t USING (run_id)
WHERE r.started_at IS NOT NULL
    AND ($since::TIMESTAMP IS NULL OR r.started_at >= $since::TIMESTAMP)
    AND ($until::TIMESTAMP IS NULL OR r.started_at < $until::TIMESTAMP)

-- Components that were used, by workflow, and whether a version that was used is certified.
-- grain: component_kind, name, workflow
-- $1, $2 start and end of the period; $3 workflow or null: then every workflow, else the components that it uses, in all of them.
WITH certified AS (
    SELECT component_kind, name, CASE WHEN component_kind <> 'tool' THEN version END AS version
    FROM catalog_components
    WHERE certified AND component_kind <> 'prompt'
    UNION
    SELECT 'tool', tool_name, NULL FROM catalog_tools WHERE certified
    UNION
    -- As the mart reuse_daily resolves them.
    SELECT 'prompt', unnest([name, name || '@' || version, name || ':' || version, name || '/' || version,
        name || '-' || version]), NULL
    FROM catalog_components
    WHERE certified AND component_kind = 'prompt'
),
used AS (
    SELECT
        component_kind,
        name,
        workflow,
        sum(invocations)::BIGINT AS invocations,
        bool_or(EXISTS (
            SELECT 1
            FROM certified AS c
            WHERE c.component_kind = u.component_kind AND c.name = u.name
                AND (c.version IS NULL OR c.version = coalesce(u.version, ''))
        )) AS is_certified
    FROM component_uses_daily AS u
    WHERE date >= $1::DATE AND date <= $2::DATE
    GROUP BY component_kind, name, workflow
)
SELECT
    component_kind,
    name,
    workflow,
    invocations,
    bool_or(is_certified) OVER same AS is_certified,
    count(*) OVER same AS workflows,
    (sum(invocations) OVER same)::BIGINT AS all_invocations
FROM used
WHERE $3::VARCHAR IS NULL OR (component_kind, name) IN (SELECT (component_kind, name) FROM used WHERE workflow = $3::VARCHAR)
WINDOW same AS (PARTITION BY component_kind, name)
ORDER BY all_invocations DESC, component_kind, name, workflow

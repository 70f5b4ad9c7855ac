-- What the catalog says of tools: those that it lists, and those certified as shared components.
-- grain: tool_name
SELECT
    coalesce(t.tool_name, c.name) AS tool_name,
    t.effect,
    t.cost_per_call_usd,
    t.compensation,
    coalesce(t.certified, FALSE) OR coalesce(c.certified, FALSE) AS is_certified
FROM catalog_tools AS t
FULL JOIN (
    SELECT name, bool_or(certified) AS certified FROM catalog_components WHERE component_kind = 'tool' GROUP BY name
) AS c ON c.name = t.tool_name
ORDER BY 1

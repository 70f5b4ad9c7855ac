-- Tools that share the shape of their usual arguments with another one, with what a call of each costs.
-- grain: tool_name
-- $1 workflow or null: then every shape, else those of a tool that it calls.
WITH called AS (
    SELECT
        tool_name,
        list_sort(list(DISTINCT workflow)) AS called_by,
        max(cost_usd) AS cost_usd_per_call
    FROM tool_calls
    WHERE tool_name IN (SELECT tool_name FROM clone_candidates)
    GROUP BY tool_name
)
SELECT
    c.*,
    k.called_by,
    k.cost_usd_per_call,
    (sum(c.calls) OVER same)::BIGINT AS calls_of_shape
FROM clone_candidates AS c
LEFT JOIN called AS k USING (tool_name)
WHERE $1::VARCHAR IS NULL OR c.arguments_shape IN (
    SELECT x.arguments_shape
    FROM clone_candidates AS x
    JOIN called AS y USING (tool_name)
    WHERE list_contains(y.called_by, $1::VARCHAR)
)
WINDOW same AS (PARTITION BY c.arguments_shape)
ORDER BY calls_of_shape DESC, c.arguments_shape, c.use_instead NULLS FIRST, c.calls DESC, c.tool_name

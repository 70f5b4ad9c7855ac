-- What the catalog says of one workflow, and which tools it calls irreversible.
-- grain: one row
-- parameters: $workflow
SELECT
    any_value(containment) AS actions,
    any_value(owner) AS owner,
    any_value(rollback_objective_minutes) AS rollback_objective_minutes,
    (SELECT coalesce(list(tool_name ORDER BY tool_name), []) FROM catalog_tools WHERE effect = 'irreversible') AS irreversible
FROM catalog_workflows
WHERE workflow = $workflow

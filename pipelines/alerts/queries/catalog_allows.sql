-- What the catalog says of each workflow, all null where it says nothing, and which tools it calls irreversible.
-- grain: workflow
-- parameters: $workflows
SELECT
    w.workflow,
    c.containment AS actions,
    c.owner,
    c.rollback_objective_minutes,
    (SELECT coalesce(list(tool_name ORDER BY tool_name), []) FROM catalog_tools WHERE effect = 'irreversible') AS irreversible
FROM (SELECT unnest($workflows::VARCHAR[]) AS workflow) AS w
LEFT JOIN catalog_workflows AS c USING (workflow)

-- How each budget stood at the last refresh, in the newest month there is.
-- grain: scope, name
-- $1 workflow or null, $2 team or null: then only the budget of that name, and those of the team's workflows by the catalog
SELECT *
FROM budgets_monthly
WHERE month = (SELECT max(month) FROM budgets_monthly)
    AND ($1::VARCHAR IS NULL OR (scope = 'workflow' AND name = $1::VARCHAR))
    AND (
        $2::VARCHAR IS NULL
        OR (scope = 'team' AND name = $2::VARCHAR)
        OR (scope = 'workflow' AND name IN (SELECT workflow FROM catalog_workflows WHERE team = $2::VARCHAR))
    )
ORDER BY used_ratio DESC NULLS LAST, scope, name

-- How each budget stood at the last refresh, in the newest month there is.
-- grain: scope, name
-- $1 workflow or null, $2 team or null: then only budgets of that name
SELECT *
FROM budgets_monthly
WHERE month = (SELECT max(month) FROM budgets_monthly)
    AND ($1::VARCHAR IS NULL OR (scope = 'workflow' AND name = $1::VARCHAR))
    AND ($2::VARCHAR IS NULL OR scope <> 'team' OR name = $2::VARCHAR)
ORDER BY used_ratio DESC NULLS LAST, scope, name

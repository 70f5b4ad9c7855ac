-- Workflows for which the catalog sets a rollback objective, and whether their readiness holds: every link 1.
-- grain: workflow
SELECT r.*, coalesce(r.score < 1, true) AS is_under, k.team
FROM rollback_readiness AS r
JOIN catalog_workflows AS k USING (workflow)
WHERE k.rollback_objective_minutes IS NOT NULL
ORDER BY r.workflow

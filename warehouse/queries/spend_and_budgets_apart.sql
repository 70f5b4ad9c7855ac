-- Budgets of the catalog that no run of the month counts towards, and workflows of the month whose runs count
-- towards none but the fleet's.
-- grain: is_budget, scope, name
-- parameters: $month: its first day
-- columns: is_budget: whether it is a budget without runs, else a workflow without a budget; runs without one; cost_usd: of those whose cost
--   is known, null where none is.
WITH run AS (
    SELECT workflow, team, cost_center, cost_usd
    FROM runs
    WHERE started_at >= $month::DATE AND started_at < $month::DATE + INTERVAL 1 MONTH
),
budgeted AS (
    SELECT scope, name FROM catalog_budgets
),
spent AS (
    SELECT 'workflow' AS scope, workflow AS name FROM run
    UNION
    SELECT 'team', team FROM run
    UNION
    SELECT 'cost_center', cost_center FROM run
    UNION
    SELECT 'fleet', '(fleet)' FROM run
)
SELECT true AS is_budget, scope, name, 0::BIGINT AS runs, NULL::DOUBLE AS cost_usd
FROM budgeted
ANTI JOIN spent USING (scope, name)
UNION ALL
SELECT false, 'workflow', workflow, count(*), sum(cost_usd)
FROM run AS r
WHERE NOT EXISTS (
    SELECT 1 FROM budgeted AS b
    WHERE (b.scope = 'workflow' AND b.name = r.workflow)
        OR (b.scope = 'team' AND b.name = r.team)
        OR (b.scope = 'cost_center' AND b.name = r.cost_center)
)
GROUP BY workflow
ORDER BY ALL

-- The highest rung of its ladder that each budget has passed in the month under way: each is told once.
-- grain: event_id
SELECT e.*, k.team
FROM budget_events AS e
LEFT JOIN catalog_workflows AS k ON e.scope = 'workflow' AND k.workflow = e.name
WHERE e.month = (SELECT max(month) FROM budgets_monthly)
QUALIFY e.rung = max(e.rung) OVER (PARTITION BY e.scope, e.name, e.month)
ORDER BY e.event_id

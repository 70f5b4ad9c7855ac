-- Budgets that burn, or will not last: of each budget its last two months, the one before the latest always as over.
-- grain: scope, name, month
WITH latest AS (SELECT max(month) AS month FROM budgets_monthly)
SELECT
    b.*,
    b.month = l.month AND coalesce(b.is_burning, false) AS burns,
    b.month = l.month AND coalesce(b.landing_usd > b.budget_usd, false) AS lands_over,
    coalesce(b.landing_low_usd > b.budget_usd, false) AS is_certain,
    k.team
FROM budgets_monthly AS b
JOIN latest AS l ON b.month >= l.month - INTERVAL 1 MONTH
LEFT JOIN catalog_workflows AS k ON b.scope = 'workflow' AND k.workflow = b.name
ORDER BY b.scope, b.name, b.month

-- The demo's figures per workflow over its whole period: sums over days, then ratios, as in the marts.
WITH cost AS (
    SELECT
        workflow,
        sum(runs) AS runs,
        sum(successes) AS successes,
        sum(priced_runs) / nullif(sum(settled_runs), 0) AS price_coverage_ratio
    FROM cost_per_outcome_daily
    GROUP BY workflow
),
model AS (
    SELECT workflow, sum(cost_usd) / nullif(sum(priced_successes), 0) AS cost_per_success_usd
    FROM cost_per_outcome_by_model
    GROUP BY workflow
),
reuse AS (
    SELECT workflow, sum(certified_shared_invocations) / nullif(sum(invocations), 0) AS reuse_ratio
    FROM reuse_daily
    GROUP BY workflow
)
SELECT
    cost.workflow, cost.runs, cost.successes, model.cost_per_success_usd, cost.price_coverage_ratio,
    reuse.reuse_ratio, rollback_readiness.score, rollback_readiness.weakest_link
FROM cost
LEFT JOIN model USING (workflow)
LEFT JOIN reuse USING (workflow)
LEFT JOIN rollback_readiness USING (workflow)
ORDER BY cost.workflow

-- What the catalog asks of each workflow: the targets of its figures.
-- grain: workflow
SELECT
    workflow,
    owner,
    team,
    cost_per_success_usd_objective,
    success_ratio_objective,
    escalation_ratio_objective,
    policy_adherence_ratio_objective
FROM catalog_workflows
ORDER BY workflow

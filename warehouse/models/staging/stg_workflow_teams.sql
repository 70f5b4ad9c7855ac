-- view: stg_workflow_teams
-- The team that each workflow belongs to: that of most of its runs; ties by name. Workflows without one are left out.
-- grain: workflow
-- columns:
--   workflow: Workflow.
--   team: Its team.

SELECT workflow, name AS team
FROM cost_by_day
WHERE "by" = 'team' AND name IS NOT NULL
GROUP BY workflow, name
QUALIFY row_number() OVER (PARTITION BY workflow ORDER BY sum(runs) DESC, name) = 1

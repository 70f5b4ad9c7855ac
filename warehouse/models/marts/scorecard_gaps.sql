-- mart: scorecard_gaps
-- group: scorecard
-- What the scorecard lacks: the figures that can't be told from the last 30 days, of each workflow, and of how many workflows of a team
-- or of the fleet; with what to send or declare.
-- grain: workflow, team, figure
-- A figure that is there but rests on part of the runs is no gap: its coverage stands beside it.
-- columns:
--   workflow: Workflow with runs in the 30 days before the latest event time of the warehouse; '(team)' for a team's row, '(fleet)' for
--     all workflows.
--   team: The team of a team's row; null in the others.
--   figure: Column of scorecard_daily.
--   lacks: What is missing, in one sentence; of a team or the fleet of its workflow with most runs that lacks it.
--   to_do: What to send or declare, likewise.
--   lacking_workflows: Workflows that can't give the figure; 1 in a workflow's own row.
--   workflows: Workflows there are; 1 in a workflow's own row.

WITH recent AS (
    SELECT r.*
    FROM runs AS r
    WHERE r.started_at > (SELECT latest_at FROM event_clock) - INTERVAL 30 DAY
        AND r.started_at <= (SELECT latest_at FROM event_clock)
),
per_workflow AS (
    SELECT
        r.workflow,
        count(*) AS runs,
        count(r.outcome) AS known_outcomes,
        count(*) FILTER (r.outcome = 'success') AS successes,
        count(r.cost_usd) AS priced_runs,
        sum(r.tool_calls) AS actions,
        count(*) FILTER (NOT r.is_pending) AS settled_runs,
        count(coalesce(r.release, r.agent_version, r.policy_version)) AS versioned_runs,
        sum(r.policy_decisions) AS decisions
    FROM recent AS r
    GROUP BY r.workflow
),
unclear AS (
    SELECT t.workflow, count(*) AS calls, min(t.tool_name) AS tool_name
    FROM tool_calls AS t
    JOIN recent AS r USING (run_id)
    WHERE t.effect IS NULL
    GROUP BY t.workflow
),
rolled_back AS (
    SELECT r.workflow, count(*) FILTER (b.completed_at >= b."at") AS timed
    FROM rollbacks AS b
    JOIN runs AS r USING (run_id)
    WHERE NOT coalesce(b.drill, false)
    GROUP BY r.workflow
),
overridden AS (
    SELECT DISTINCT r.workflow FROM overrides AS o JOIN recent AS r USING (run_id)
),
judged AS (
    SELECT i.workflow, count(*) AS incidents, count(a.incident_id) AS judged
    FROM incidents AS i
    LEFT JOIN (SELECT DISTINCT incident_id FROM acknowledgements WHERE judgement <> 'resolved_itself') AS a USING (incident_id)
    GROUP BY i.workflow
),
gap AS (
    SELECT workflow, 'success_ratio' AS figure, 'no run has an outcome' AS lacks,
        'send a span event plumbline.outcome, or messages on topic agent_outcomes' AS to_do
    FROM per_workflow WHERE known_outcomes = 0
    UNION ALL
    SELECT workflow, 'escalation_ratio', 'no run has an outcome', 'send a span event plumbline.outcome, or messages on topic agent_outcomes'
    FROM per_workflow WHERE known_outcomes = 0
    UNION ALL
    SELECT
        workflow, 'cost_usd', 'no run has a known cost',
        'state the models'' prices in the catalog (prices:), and send tokens with every call'
    FROM per_workflow WHERE priced_runs = 0
    UNION ALL
    SELECT
        workflow, 'cost_per_success_usd', CASE WHEN priced_runs = 0 THEN 'no run has a known cost' ELSE 'no run has succeeded' END,
        CASE WHEN priced_runs = 0 THEN 'state the models'' prices in the catalog (prices:)' ELSE 'send outcomes: docs/audit.md' END
    FROM per_workflow WHERE priced_runs = 0 OR successes = 0
    UNION ALL
    SELECT p.workflow, 'is_within_budget', 'the catalog has no budget for it', 'state budget_usd_per_month in the catalog'
    FROM per_workflow AS p
    ANTI JOIN (SELECT name AS workflow FROM catalog_budgets WHERE scope = 'workflow') AS b USING (workflow)
    UNION ALL
    SELECT p.workflow, 'reuse_ratio', 'the catalog certifies no component', 'mark shared tools and components as certified'
    FROM per_workflow AS p
    WHERE NOT EXISTS (SELECT 1 FROM catalog_components WHERE certified)
        AND NOT EXISTS (SELECT 1 FROM catalog_tools WHERE certified)
    UNION ALL
    SELECT workflow, 'rollback_readiness', detail, to_do FROM rollback_readiness WHERE score IS NULL
    UNION ALL
    SELECT workflow, 'policy_adherence_ratio', 'no policy decision was sent', 'send a span event plumbline.policy.decision'
    FROM per_workflow WHERE decisions = 0
    UNION ALL
    SELECT
        u.workflow, 'breaches', format('whether {} calls needed an approval is not known', u.calls),
        format('state the effect of {} in the catalog (tools:)', coalesce(u.tool_name, 'its tools'))
    FROM unclear AS u
    UNION ALL
    SELECT workflow, 'breaches_per_1000_actions', 'it has called no tool', 'send a span for each tool call'
    FROM per_workflow WHERE actions = 0
    UNION ALL
    SELECT p.workflow, 'reversibility_ratio', 'nothing was ever rolled back', 'send a span event plumbline.rollback when it is'
    FROM per_workflow AS p
    ANTI JOIN rolled_back AS b USING (workflow)
    UNION ALL
    SELECT
        p.workflow, 'minutes_to_rollback',
        CASE WHEN b.workflow IS NULL THEN 'nothing was ever rolled back' ELSE 'no rollback says when it was completed' END,
        'send a span event plumbline.rollback with plumbline.rollback.completed_at'
    FROM per_workflow AS p
    LEFT JOIN rolled_back AS b USING (workflow)
    WHERE coalesce(b.timed, 0) = 0
    UNION ALL
    SELECT
        p.workflow, 'override_ratio', 'no override was sent: 0 may be that nobody tells',
        'send a span event plumbline.override when a person changes a decision'
    FROM per_workflow AS p
    ANTI JOIN overridden AS o USING (workflow)
    UNION ALL
    SELECT
        workflow, 'hours_to_update', 'no run names its release or its policy version',
        'send plumbline.release and plumbline.policy.version with every run'
    FROM per_workflow WHERE versioned_runs = 0
    UNION ALL
    SELECT workflow, 'audit_completeness_ratio', 'no run is settled yet', 'send outcomes, or wait for the outcome window to close'
    FROM per_workflow WHERE settled_runs = 0
    UNION ALL
    SELECT j.workflow, 'minutes_to_diagnose', format('none of {} incidents was judged', j.incidents),
        'plumbline alerts ack INCIDENT --as real|false'
    FROM judged AS j
    SEMI JOIN per_workflow AS p USING (workflow)
    WHERE j.judged = 0
),
placed AS (
    SELECT p.workflow, p.runs, b.team FROM per_workflow AS p LEFT JOIN stg_workflow_teams AS b USING (workflow)
),
counted AS (
    SELECT team, count(*) AS workflows FROM placed WHERE team IS NOT NULL GROUP BY team
    UNION ALL
    SELECT NULL, count(*) FROM placed
)
SELECT workflow, NULL::VARCHAR AS team, figure, lacks, to_do, 1::BIGINT AS lacking_workflows, 1::BIGINT AS workflows
FROM gap
UNION ALL
SELECT
    CASE WHEN s.team IS NULL THEN '(fleet)' ELSE '(team)' END,
    s.team,
    s.figure,
    s.most.lacks,
    s.most.to_do,
    s.lacking_workflows,
    c.workflows
FROM (
    SELECT
        p.team,
        g.figure,
        arg_max({'lacks': g.lacks, 'to_do': g.to_do}, {'runs': p.runs, 'workflow': p.workflow}) AS most,
        count(*) AS lacking_workflows
    FROM gap AS g
    JOIN placed AS p USING (workflow)
    GROUP BY GROUPING SETS ((p.team, g.figure), (g.figure))
    HAVING grouping(p.team) = 1 OR p.team IS NOT NULL
) AS s
JOIN counted AS c ON c.team IS NOT DISTINCT FROM s.team
ORDER BY workflow, team, figure

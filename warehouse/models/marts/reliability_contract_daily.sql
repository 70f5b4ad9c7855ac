-- mart: reliability_contract_daily
-- group: scorecard
-- The reliability contract of each day: the state of seven clauses over the 30 days up to it, of each workflow, team and the fleet.
-- grain: date, workflow, team, clause
-- period: date
-- What each clause looks at, and what is to do, stands in reliability_contract, whose states are those of the last day. Outcomes as they
-- are known now, the catalog as it is now. A clause of a team or of the fleet is broken where one of its workflows breaks it, kept where
-- all keep it, and not provable otherwise.
-- columns:
--   date: Day, UTC.
--   workflow: Workflow; '(team)' for a team's rows, '(fleet)' for all of them.
--   team: The team of a team's row; null in the others.
--   clause_number: 1 to 7.
--   clause: Name of the clause.
--   state: 'kept', 'broken' or 'not provable'.
--   broken_runs: Runs of the 30 days that break it; null for rollback and stop, and for the cost envelope.
--   kept_workflows: Workflows that keep it.
--   broken_workflows: Workflows that break it.
--   workflows: Workflows with runs in the 30 days; 1 in a workflow's own row.

WITH clock AS MATERIALIZED (
    SELECT latest_at FROM event_clock
),
-- A row of a day counts for that day and the 29 after it.
reach AS (
    SELECT unnest(range(30))::INTEGER AS later
),
seen AS (
    SELECT
        b.workflow,
        b.date + r.later AS date,
        sum(b.settled_runs) AS settled_runs,
        sum(b.decisions) AS decisions,
        sum(b.unversioned_decisions) AS unversioned_decisions,
        sum(b.boundary_breaking_runs) AS boundary_breaking_runs,
        sum(b.nameless_runs) AS nameless_runs,
        sum(b.privilege_breaking_runs) AS privilege_breaking_runs,
        sum(b.calls_of_unknown_effect) AS calls_of_unknown_effect,
        sum(b.untraced_runs) AS untraced_runs,
        sum(b.approval_breaking_runs) AS approval_breaking_runs,
        sum(b.incomplete_runs) AS incomplete_runs,
        sum(b.settled_usd) / nullif(sum(b.priced_successes), 0) AS cost_per_success_usd,
        sum(b.priced_successes) AS priced_successes,
        sum(b.unpriced_runs) AS unpriced_runs
    FROM contract_by_day AS b
    CROSS JOIN reach AS r
    CROSS JOIN clock AS k
    WHERE b.date + r.later <= k.latest_at::DATE
    GROUP BY ALL
),
-- All runs of the month so far, shadow and pending ones too: as budgets count.
month AS (
    SELECT g.workflow, g.date + r.later AS date, sum(g.spent_usd) AS month_usd
    FROM governance_by_day AS g
    CROSS JOIN (SELECT unnest(range(31))::INTEGER AS later) AS r
    WHERE date_trunc('month', g.date) = date_trunc('month', g.date + r.later)
    GROUP BY ALL
),
judged AS (
    SELECT
        s.date,
        s.workflow,
        t.team,
        unnest([
            {
                'number': 1,
                'clause': 'policy boundaries',
                'is_broken': s.boundary_breaking_runs > 0,
                'lacks': s.decisions = 0 OR s.unversioned_decisions > 0,
                'runs': s.boundary_breaking_runs
            },
            {
                'number': 2,
                'clause': 'least privilege',
                'is_broken': s.privilege_breaking_runs > 0,
                'lacks': s.nameless_runs > 0 OR c.effects_allowed IS NULL OR s.calls_of_unknown_effect > 0,
                'runs': s.privilege_breaking_runs
            },
            {
                'number': 3,
                'clause': 'traceability',
                'is_broken': s.untraced_runs BETWEEN 1 AND s.settled_runs - 1,
                'lacks': s.settled_runs = 0 OR s.untraced_runs > 0,
                'runs': s.untraced_runs
            },
            {
                'number': 4,
                'clause': 'approvals',
                'is_broken': s.approval_breaking_runs > 0,
                'lacks': s.calls_of_unknown_effect > 0,
                'runs': s.approval_breaking_runs
            },
            {
                'number': 5,
                'clause': 'rollback and stop',
                'is_broken': coalesce(b.score < 1 AND b.weakest_link <> 'drill', false),
                'lacks': b.score IS NULL OR b.score < 1,
                'runs': NULL
            },
            {
                'number': 6,
                'clause': 'audit evidence',
                'is_broken': s.incomplete_runs BETWEEN 1 AND s.settled_runs - 1,
                'lacks': s.settled_runs = 0 OR s.incomplete_runs > 0,
                'runs': s.incomplete_runs
            },
            {
                'number': 7,
                'clause': 'cost envelope',
                'is_broken': coalesce(s.cost_per_success_usd > c.cost_per_success_usd_objective, false)
                    OR coalesce(m.month_usd > c.budget_usd_per_month, false),
                'lacks': (c.cost_per_success_usd_objective IS NULL AND c.budget_usd_per_month IS NULL)
                    OR s.unpriced_runs > 0
                    OR (s.priced_successes = 0 AND c.cost_per_success_usd_objective IS NOT NULL),
                'runs': NULL
            }
        ]) AS found
    FROM seen AS s
    LEFT JOIN month AS m USING (workflow, date)
    LEFT JOIN rollback_readiness_daily AS b USING (workflow, date)
    LEFT JOIN catalog_workflows AS c USING (workflow)
    LEFT JOIN stg_workflow_teams AS t USING (workflow)
),
stated AS (
    SELECT
        date,
        workflow,
        team,
        found.number AS clause_number,
        found.clause AS clause,
        CASE WHEN found.is_broken THEN 'broken' WHEN found.lacks THEN 'not provable' ELSE 'kept' END AS state,
        CASE WHEN found.is_broken THEN found.runs ELSE least(found.runs, 0) END AS broken_runs
    FROM judged
)
SELECT
    date,
    CASE WHEN grouping(workflow) = 0 THEN workflow WHEN grouping(team) = 0 THEN '(team)' ELSE '(fleet)' END AS workflow,
    CASE WHEN grouping(workflow) = 1 THEN team END AS team,
    clause_number,
    clause,
    CASE
        WHEN count(*) FILTER (state = 'broken') > 0 THEN 'broken'
        WHEN count(*) FILTER (state = 'kept') = count(*) THEN 'kept'
        ELSE 'not provable'
    END AS state,
    sum(broken_runs)::BIGINT AS broken_runs,
    count(*) FILTER (state = 'kept') AS kept_workflows,
    count(*) FILTER (state = 'broken') AS broken_workflows,
    count(*) AS workflows
FROM stated
GROUP BY GROUPING SETS (
    (date, clause_number, clause, workflow), (date, clause_number, clause, team), (date, clause_number, clause)
)
HAVING grouping(team) = 1 OR team IS NOT NULL
ORDER BY date, workflow, team, clause_number

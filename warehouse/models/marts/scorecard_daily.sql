-- mart: scorecard_daily
-- group: scorecard
-- The scorecard: each figure of a workflow, of a team and of the fleet, day by day. What a figure lacks: scorecard_gaps.
-- grain: date, workflow, team
-- period: date
-- A team has the workflows most of whose runs are its own (as sent, else by the catalog). An action is a tool call.
-- columns:
--   date: Day of the run's start, of the incident's opening, or of the rollback, UTC.
--   workflow: Workflow; '(team)' for all of a team's, '(fleet)' for all of them.
--   team: The team of a team's row; null in the others.
--   runs: Runs that started.
--   actions: Tool calls of those runs.
--   successes: Settled runs with outcome 'success'.
--   success_ratio: successes ÷ settled runs; null without one.
--   cost_usd: Cost of settled runs with a known cost, in US dollars; null when there is none.
--   cost_per_success_usd: cost_usd ÷ successes of the same runs, in US dollars; null without a success.
--   price_coverage_ratio: Priced model calls ÷ model calls that need a price, settled runs.
--   is_within_budget: Whether the cost of the day's runs is at most an even day's share of the month's budget (catalog); null
--     without a budget or a known cost. How well the month is forecast: budgets_monthly.
--   reuse_ratio: Share of invocations that resolve to certified components shared by two workflows or more: reuse_daily.
--   rollback_readiness: The weakest link of that day, 0 to 1: rollback_readiness_daily; that of a team or of the fleet is the least of
--     its workflows'. Null when not provable.
--   policy_adherence_ratio: Policy decisions that allowed the action ÷ all; null without one.
--   breaches: Actions carried out despite a deny, irreversible calls without a granted approval, and approvals bypassed.
--   breaches_per_1000_actions: breaches ÷ actions × 1,000; null without an action.
--   escalation_ratio: Settled runs handed to a person (outcome 'escalated') ÷ settled runs.
--   override_ratio: Runs with a decision that a person changed ÷ runs.
--   audit_completeness_ratio: Settled runs whose decision path can be rebuilt from their trace (audit_by_run) ÷ settled runs; null
--     without one.
--   incidents_opened: Incidents whose first signal fell on that day.
--   incidents_per_1000_actions: incidents_opened ÷ actions × 1,000; null without an action.
--   containment_ratio: Those incidents beside which no other workflow's opened within an hour ÷ incidents_opened; null without one.
--   minutes_to_diagnose: Mean time from the writing of an incident's first signal to the first judgement of a person about it, in
--     minutes, over that day's incidents that were judged; null without one.
--   rollbacks: Rollback events that were no drill.
--   reversibility_ratio: Those that succeeded ÷ rollbacks; null without one.
--   minutes_to_rollback: Mean time from their trigger to their completion, in minutes; null when none was timed.
--   hours_to_update: Mean time from the first run on a new release, model or policy version, which began to be used that day, to
--     the last run on the one before it, in hours, 0 where that came earlier; null without a change, and while both are in use.
--   contract_kept_ratio: Clauses of the reliability contract that are kept over the 30 days up to the day ÷ all seven of each workflow
--     (reliability_contract_daily).
--   contract_broken: Clauses of it that are broken.

WITH clock AS MATERIALIZED (
    SELECT latest_at FROM event_clock
),
belongs AS MATERIALIZED (
    SELECT workflow, team FROM stg_workflow_teams
),
run AS (
    SELECT c.*, g.* EXCLUDE (date, workflow, runs), b.team
    FROM cost_by_day AS c
    JOIN governance_by_day AS g USING (date, workflow)
    LEFT JOIN belongs AS b USING (workflow)
    WHERE c."by" = 'all'
),
run_day AS (
    SELECT
        date,
        CASE WHEN grouping(workflow) = 0 THEN workflow WHEN grouping(team) = 0 THEN '(team)' ELSE '(fleet)' END AS workflow,
        team,
        sum(runs)::BIGINT AS runs,
        sum(actions)::BIGINT AS actions,
        sum(successes)::BIGINT AS successes,
        sum(successes) / nullif(sum(settled_runs), 0) AS success_ratio,
        sum(spent_usd) AS spent_usd,
        sum(cost_usd) AS cost_usd,
        sum(cost_usd) / nullif(sum(priced_successes), 0) AS cost_per_success_usd,
        sum(priced_calls) / nullif(sum(priceable_calls), 0) AS price_coverage_ratio,
        sum(allowed_decisions) / nullif(sum(decisions), 0) AS policy_adherence_ratio,
        sum(breaches)::BIGINT AS breaches,
        sum(escalations) / nullif(sum(settled_runs), 0) AS escalation_ratio,
        sum(overridden_runs) / sum(runs) AS override_ratio,
        sum(complete_runs) / nullif(sum(settled_runs), 0) AS audit_completeness_ratio
    FROM run
    GROUP BY GROUPING SETS ((date, workflow), (date, team), (date))
    HAVING grouping(team) = 1 OR team IS NOT NULL
),
incident AS (
    SELECT
        i.opened_at::DATE AS date,
        coalesce(i.workflow, 'unknown') AS workflow,
        b.team,
        i.incident_id,
        NOT EXISTS (
            SELECT 1
            FROM incidents AS j
            WHERE j.workflow IS DISTINCT FROM i.workflow
                AND j.opened_at BETWEEN i.opened_at - INTERVAL 1 HOUR AND i.opened_at + INTERVAL 1 HOUR
        ) AS is_contained,
        (epoch_us(said.stated_at) - epoch_us(told.created_at)) / 6e7 AS minutes
    FROM incidents AS i
    LEFT JOIN belongs AS b USING (workflow)
    LEFT JOIN (SELECT incident_id, min(created_at) AS created_at FROM signals GROUP BY incident_id) AS told USING (incident_id)
    LEFT JOIN (
        SELECT incident_id, min(stated_at) AS stated_at
        FROM acknowledgements
        WHERE judgement <> 'resolved_itself'  -- nobody has diagnosed that
        GROUP BY incident_id
    ) AS said USING (incident_id)
    WHERE i.opened_at IS NOT NULL
),
incident_day AS (
    SELECT
        date,
        CASE WHEN grouping(workflow) = 0 THEN workflow WHEN grouping(team) = 0 THEN '(team)' ELSE '(fleet)' END AS workflow,
        team,
        count(*) AS incidents_opened,
        avg(is_contained::INTEGER) AS containment_ratio,
        avg(minutes) AS minutes_to_diagnose
    FROM incident
    GROUP BY GROUPING SETS ((date, workflow), (date, team), (date))
    HAVING grouping(team) = 1 OR team IS NOT NULL
),
rollback AS (
    SELECT
        k."at"::DATE AS date,
        r.workflow,
        b.team,
        coalesce(
            lower(k.status) IN ('success', 'succeeded', 'successful', 'ok', 'completed', 'complete', 'done', 'passed'),
            k.completed_at IS NOT NULL
        ) AS is_success,
        CASE WHEN k.completed_at >= k."at" THEN (epoch_us(k.completed_at) - epoch_us(k."at")) / 6e7 END AS minutes
    FROM rollbacks AS k
    JOIN runs AS r USING (run_id)
    LEFT JOIN belongs AS b ON b.workflow = r.workflow
    WHERE NOT coalesce(k.drill, false) AND k."at" IS NOT NULL
),
rollback_day AS (
    SELECT
        date,
        CASE WHEN grouping(workflow) = 0 THEN workflow WHEN grouping(team) = 0 THEN '(team)' ELSE '(fleet)' END AS workflow,
        team,
        count(*) AS rollbacks,
        avg(is_success::INTEGER) AS reversibility_ratio,
        avg(minutes) FILTER (is_success) AS minutes_to_rollback
    FROM rollback
    GROUP BY GROUPING SETS ((date, workflow), (date, team), (date))
    HAVING grouping(team) = 1 OR team IS NOT NULL
),
version AS (
    SELECT workflow, what, version, min(first_at) AS first_at, max(last_at) AS last_at
    FROM versions_daily
    GROUP BY ALL
),
changed AS (
    SELECT
        v.workflow,
        v.first_at,
        greatest(epoch_us(lag(v.last_at) OVER earlier) - epoch_us(v.first_at), 0) / 3.6e9 AS hours,
        -- In use still: it ran within the last day of what is known.
        lag(v.last_at) OVER earlier > k.latest_at - INTERVAL 1 DAY AS is_going_on
    FROM version AS v
    CROSS JOIN clock AS k
    WINDOW earlier AS (PARTITION BY v.workflow, v.what ORDER BY v.first_at, v.version)
),
change_day AS (
    SELECT
        c.first_at::DATE AS date,
        CASE WHEN grouping(c.workflow) = 0 THEN c.workflow WHEN grouping(b.team) = 0 THEN '(team)' ELSE '(fleet)' END AS workflow,
        b.team,
        avg(c.hours) AS hours_to_update
    FROM changed AS c
    LEFT JOIN belongs AS b ON b.workflow = c.workflow
    WHERE NOT c.is_going_on
    GROUP BY GROUPING SETS ((date, c.workflow), (date, b.team), (date))
    HAVING grouping(b.team) = 1 OR b.team IS NOT NULL
),
reuse AS (
    SELECT date, workflow, NULL AS team, reuse_ratio FROM reuse_daily
    UNION ALL BY NAME
    SELECT
        u.date, '(team)' AS workflow, b.team, sum(u.certified_shared_invocations) / sum(u.invocations) AS reuse_ratio
    FROM reuse_daily AS u
    JOIN belongs AS b USING (workflow)
    WHERE b.team IS NOT NULL
    GROUP BY u.date, b.team
),
readiness AS (
    SELECT
        r.date,
        CASE WHEN grouping(r.workflow) = 0 THEN r.workflow WHEN grouping(b.team) = 0 THEN '(team)' ELSE '(fleet)' END AS workflow,
        b.team,
        CASE WHEN min(r.score) = 0 OR count(r.score) = count(*) THEN min(r.score) END AS score
    FROM rollback_readiness_daily AS r
    LEFT JOIN belongs AS b ON b.workflow = r.workflow
    GROUP BY GROUPING SETS ((r.date, r.workflow), (r.date, b.team), (r.date))
    HAVING grouping(b.team) = 1 OR b.team IS NOT NULL
),
contract AS (
    SELECT
        date,
        workflow,
        team,
        sum(kept_workflows) / sum(workflows) AS contract_kept_ratio,
        sum(broken_workflows)::BIGINT AS contract_broken
    FROM reliability_contract_daily
    GROUP BY date, workflow, team
),
budget AS (
    SELECT name AS workflow, NULL AS team, budget_usd_per_month FROM catalog_budgets WHERE scope = 'workflow'
    UNION ALL BY NAME
    SELECT '(team)' AS workflow, name AS team, budget_usd_per_month FROM catalog_budgets WHERE scope = 'team'
    UNION ALL BY NAME
    SELECT name AS workflow, NULL AS team, budget_usd_per_month FROM catalog_budgets WHERE scope = 'fleet'
),
days AS (
    SELECT date, workflow, team FROM run_day
    UNION
    SELECT date, workflow, team FROM incident_day
    UNION
    SELECT date, workflow, team FROM rollback_day
)
SELECT
    d.date,
    d.workflow,
    d.team,
    coalesce(r.runs, 0) AS runs,
    coalesce(r.actions, 0) AS actions,
    coalesce(r.successes, 0) AS successes,
    r.success_ratio,
    r.cost_usd,
    r.cost_per_success_usd,
    r.price_coverage_ratio,
    r.spent_usd <= g.budget_usd_per_month / day(last_day(d.date)) AS is_within_budget,
    u.reuse_ratio,
    b.score AS rollback_readiness,
    r.policy_adherence_ratio,
    coalesce(r.breaches, 0) AS breaches,
    1000 * r.breaches / nullif(r.actions, 0) AS breaches_per_1000_actions,
    r.escalation_ratio,
    r.override_ratio,
    r.audit_completeness_ratio,
    coalesce(i.incidents_opened, 0) AS incidents_opened,
    1000 * coalesce(i.incidents_opened, 0) / nullif(r.actions, 0) AS incidents_per_1000_actions,
    i.containment_ratio,
    i.minutes_to_diagnose,
    coalesce(k.rollbacks, 0) AS rollbacks,
    k.reversibility_ratio,
    k.minutes_to_rollback,
    c.hours_to_update,
    a.contract_kept_ratio,
    a.contract_broken
FROM days AS d
LEFT JOIN run_day AS r ON r.date = d.date AND r.workflow = d.workflow AND r.team IS NOT DISTINCT FROM d.team
LEFT JOIN incident_day AS i ON i.date = d.date AND i.workflow = d.workflow AND i.team IS NOT DISTINCT FROM d.team
LEFT JOIN rollback_day AS k ON k.date = d.date AND k.workflow = d.workflow AND k.team IS NOT DISTINCT FROM d.team
LEFT JOIN change_day AS c ON c.date = d.date AND c.workflow = d.workflow AND c.team IS NOT DISTINCT FROM d.team
LEFT JOIN reuse AS u ON u.date = d.date AND u.workflow = d.workflow AND u.team IS NOT DISTINCT FROM d.team
LEFT JOIN readiness AS b ON b.date = d.date AND b.workflow = d.workflow AND b.team IS NOT DISTINCT FROM d.team
LEFT JOIN contract AS a ON a.date = d.date AND a.workflow = d.workflow AND a.team IS NOT DISTINCT FROM d.team
LEFT JOIN budget AS g ON g.workflow = d.workflow AND g.team IS NOT DISTINCT FROM d.team
ORDER BY d.date, d.workflow, d.team

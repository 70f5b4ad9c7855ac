-- The mart scorecard_daily as a scope of several teams sees it: its workflows, the rows of its teams, and for the fleet's row the total
-- over its workflows. Each ratio is made of its numerator and denominator, as the mart makes it; several teams have no budget together.
-- grain: date, workflow, team
WITH own AS (
    SELECT *
    FROM lake.main.scorecard_daily
    WHERE workflow IN (SELECT workflow FROM memory.main.visible_workflows)
        OR (workflow = '(team)' AND team IN (SELECT team FROM memory.main.visible_teams))
),
of_workflow AS (
    SELECT * FROM own WHERE workflow <> '(team)'
),
run_day AS (
    SELECT
        c.date,
        sum(c.runs)::BIGINT AS runs,
        sum(g.actions)::BIGINT AS actions,
        sum(c.successes)::BIGINT AS successes,
        sum(c.successes) / nullif(sum(c.settled_runs), 0) AS success_ratio,
        sum(c.cost_usd) AS cost_usd,
        sum(c.cost_usd) / nullif(sum(c.priced_successes), 0) AS cost_per_success_usd,
        sum(c.priced_calls) / nullif(sum(c.priceable_calls), 0) AS price_coverage_ratio,
        sum(g.allowed_decisions) / nullif(sum(g.decisions), 0) AS policy_adherence_ratio,
        sum(g.breaches)::BIGINT AS breaches,
        sum(g.escalations) / nullif(sum(c.settled_runs), 0) AS escalation_ratio,
        sum(g.overridden_runs) / sum(c.runs) AS override_ratio,
        sum(g.complete_runs) / nullif(sum(c.settled_runs), 0) AS audit_completeness_ratio
    FROM lake.main.cost_by_day AS c
    JOIN lake.main.governance_by_day AS g USING (date, workflow)
    WHERE c."by" = 'all' AND c.workflow IN (SELECT workflow FROM memory.main.visible_workflows)
    GROUP BY c.date
),
event_day AS (
    SELECT
        date,
        sum(incidents_opened)::BIGINT AS incidents_opened,
        sum(containment_ratio * incidents_opened) / nullif(sum(incidents_opened), 0) AS containment_ratio,
        sum(rollbacks)::BIGINT AS rollbacks,
        sum(reversibility_ratio * rollbacks) / nullif(sum(rollbacks), 0) AS reversibility_ratio
    FROM of_workflow
    GROUP BY date
),
told AS (
    SELECT incident_id, min(created_at) AS created_at FROM lake.main.signals GROUP BY incident_id
),
said AS (
    SELECT incident_id, min(stated_at) AS stated_at
    FROM lake.main.acknowledgements
    WHERE judgement <> 'resolved_itself'
    GROUP BY incident_id
),
diagnosed_day AS (
    SELECT
        i.opened_at::DATE AS date, avg((epoch_us(said.stated_at) - epoch_us(told.created_at)) / 6e7) AS minutes_to_diagnose
    FROM lake.main.incidents AS i
    JOIN told USING (incident_id)
    JOIN said USING (incident_id)
    WHERE coalesce(i.workflow, 'unknown') IN (SELECT workflow FROM memory.main.visible_workflows)
    GROUP BY 1
),
rollback_day AS (
    SELECT k."at"::DATE AS date, avg((epoch_us(k.completed_at) - epoch_us(k."at")) / 6e7) AS minutes_to_rollback
    FROM lake.main.rollbacks AS k
    JOIN lake.main.runs AS r USING (run_id)
    WHERE r.workflow IN (SELECT workflow FROM memory.main.visible_workflows)
        AND NOT coalesce(k.drill, false)
        AND k.completed_at >= k."at"
        AND coalesce(
            lower(k.status) IN ('success', 'succeeded', 'successful', 'ok', 'completed', 'complete', 'done', 'passed'), true
        )
    GROUP BY 1
),
version AS (
    SELECT workflow, what, version, min(first_at) AS first_at, max(last_at) AS last_at
    FROM lake.main.versions_daily
    WHERE workflow IN (SELECT workflow FROM memory.main.visible_workflows)
    GROUP BY ALL
),
changed AS (
    SELECT
        v.first_at,
        greatest(epoch_us(lag(v.last_at) OVER earlier) - epoch_us(v.first_at), 0) / 3.6e9 AS hours,
        lag(v.last_at) OVER earlier > k.latest_at - INTERVAL 1 DAY AS is_going_on
    FROM version AS v
    CROSS JOIN lake.main.event_clock AS k
    WINDOW earlier AS (PARTITION BY v.workflow, v.what ORDER BY v.first_at, v.version)
),
change_day AS (
    SELECT first_at::DATE AS date, avg(hours) AS hours_to_update FROM changed WHERE NOT is_going_on GROUP BY 1
),
reuse AS (
    SELECT date, sum(certified_shared_invocations) / nullif(sum(invocations), 0) AS reuse_ratio
    FROM lake.main.reuse_daily
    WHERE workflow IN (SELECT workflow FROM memory.main.visible_workflows)
    GROUP BY date
),
readiness AS (
    SELECT date, CASE WHEN min(score) = 0 OR count(score) = count(*) THEN min(score) END AS score
    FROM lake.main.rollback_readiness_daily
    WHERE workflow IN (SELECT workflow FROM memory.main.visible_workflows)
    GROUP BY date
),
contract AS (
    SELECT
        date,
        sum(kept_workflows) / sum(workflows) AS contract_kept_ratio,
        sum(broken_workflows)::BIGINT AS contract_broken
    FROM lake.main.reliability_contract_daily
    WHERE workflow IN (SELECT workflow FROM memory.main.visible_workflows)
    GROUP BY date
)
SELECT * FROM own
UNION ALL BY NAME
SELECT
    d.date,
    '(fleet)' AS workflow,
    coalesce(r.runs, 0) AS runs,
    coalesce(r.actions, 0) AS actions,
    coalesce(r.successes, 0) AS successes,
    r.success_ratio,
    r.cost_usd,
    r.cost_per_success_usd,
    r.price_coverage_ratio,
    u.reuse_ratio,
    b.score AS rollback_readiness,
    r.policy_adherence_ratio,
    coalesce(r.breaches, 0) AS breaches,
    1000 * r.breaches / nullif(r.actions, 0) AS breaches_per_1000_actions,
    r.escalation_ratio,
    r.override_ratio,
    r.audit_completeness_ratio,
    d.incidents_opened,
    1000 * d.incidents_opened / nullif(r.actions, 0) AS incidents_per_1000_actions,
    d.containment_ratio,
    i.minutes_to_diagnose,
    d.rollbacks,
    d.reversibility_ratio,
    k.minutes_to_rollback,
    c.hours_to_update,
    a.contract_kept_ratio,
    a.contract_broken
FROM event_day AS d
LEFT JOIN run_day AS r USING (date)
LEFT JOIN diagnosed_day AS i USING (date)
LEFT JOIN rollback_day AS k USING (date)
LEFT JOIN change_day AS c USING (date)
LEFT JOIN reuse AS u USING (date)
LEFT JOIN readiness AS b USING (date)
LEFT JOIN contract AS a USING (date)

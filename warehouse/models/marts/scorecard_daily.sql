-- mart: scorecard_daily
-- group: scorecard
-- The scorecard: each figure of a workflow, and of the fleet, day by day.
-- grain: date, workflow
-- period: date
-- columns:
--   date: Day of the run's start, or of the incident's opening, UTC.
--   workflow: Workflow; '(fleet)' for all of them.
--   runs: Runs that started.
--   successes: Settled runs with outcome 'success'.
--   success_ratio: successes ÷ settled runs; null without one.
--   cost_usd: Cost of settled runs with a known cost, in US dollars; null when there is none.
--   cost_per_success_usd: cost_usd ÷ successes of the same runs, in US dollars; null without a success.
--   price_coverage_ratio: Priced model calls ÷ model calls that need a price, settled runs.
--   reuse_ratio: Share of invocations that resolve to certified components shared by two workflows or more:
--     reuse_daily.
--   rollback_readiness: The weakest link, 0 to 1, as measured last: rollback_readiness. On the last day of a workflow
--     only; the fleet's is the least of its workflows.
--   policy_adherence_ratio: Policy decisions that allowed the action ÷ all; null without one.
--   escalation_ratio: Settled runs handed to a person (outcome 'escalated') ÷ settled runs.
--   override_ratio: Runs with a decision that a person changed ÷ runs.
--   audit_completeness_ratio: Settled runs whose decision path can be rebuilt from their trace (audit_by_run) ÷ settled
--     runs; null without one.
--   incidents_opened: Incidents whose first signal fell on that day.

WITH run AS (
    SELECT
        r.started_at::DATE AS date,
        r.workflow,
        NOT r.is_pending AS is_settled,
        r.outcome,
        CASE WHEN NOT r.is_pending THEN r.cost_usd END AS cost_usd,
        r.priced_model_calls,
        r.model_calls - r.costless_model_calls AS priceable_model_calls,
        o.run_id IS NOT NULL AS is_overridden,
        a.is_complete
    FROM runs AS r
    JOIN audit_by_run AS a USING (run_id)
    LEFT JOIN (SELECT DISTINCT run_id FROM overrides) AS o USING (run_id)
    WHERE r.started_at IS NOT NULL
),
run_day AS (
    SELECT
        date,
        CASE WHEN grouping(workflow) = 1 THEN '(fleet)' ELSE workflow END AS workflow,
        count(*) AS runs,
        count(*) FILTER (is_settled AND outcome = 'success') AS successes,
        avg((outcome IS NOT DISTINCT FROM 'success')::INTEGER) FILTER (is_settled) AS success_ratio,
        sum(cost_usd) AS cost_usd,
        sum(cost_usd) / nullif(count(cost_usd) FILTER (outcome = 'success'), 0) AS cost_per_success_usd,
        sum(priced_model_calls) FILTER (is_settled) / nullif(sum(priceable_model_calls) FILTER (is_settled), 0)
            AS price_coverage_ratio,
        avg((outcome IS NOT DISTINCT FROM 'escalated')::INTEGER) FILTER (is_settled) AS escalation_ratio,
        avg(is_overridden::INTEGER) AS override_ratio,
        avg(is_complete::INTEGER) FILTER (is_settled) AS audit_completeness_ratio
    FROM run
    GROUP BY GROUPING SETS ((date, workflow), (date))
),
policy_day AS (
    SELECT
        date,
        CASE WHEN grouping(workflow) = 1 THEN '(fleet)' ELSE workflow END AS workflow,
        avg((action = 'allow')::INTEGER) AS policy_adherence_ratio
    FROM (
        SELECT r.started_at::DATE AS date, r.workflow, d.action
        FROM policy_decisions AS d
        JOIN runs AS r USING (run_id)
        WHERE r.started_at IS NOT NULL
    )
    GROUP BY GROUPING SETS ((date, workflow), (date))
),
incident_day AS (
    SELECT
        date,
        CASE WHEN grouping(workflow) = 1 THEN '(fleet)' ELSE workflow END AS workflow,
        count(*) AS incidents_opened
    FROM (
        SELECT opened_at::DATE AS date, coalesce(workflow, 'unknown') AS workflow
        FROM incidents
        WHERE opened_at IS NOT NULL
    )
    GROUP BY GROUPING SETS ((date, workflow), (date))
),
readiness AS (
    SELECT workflow, score FROM rollback_readiness
    UNION ALL
    SELECT '(fleet)', CASE WHEN min(score) = 0 OR count(score) = count(*) THEN min(score) END FROM rollback_readiness
),
days AS (
    SELECT date, workflow FROM run_day
    UNION
    SELECT date, workflow FROM policy_day
    UNION
    SELECT date, workflow FROM incident_day
)
SELECT
    d.date,
    d.workflow,
    coalesce(r.runs, 0) AS runs,
    coalesce(r.successes, 0) AS successes,
    r.success_ratio,
    r.cost_usd,
    r.cost_per_success_usd,
    r.price_coverage_ratio,
    u.reuse_ratio,
    CASE WHEN d.date = max(d.date) OVER (PARTITION BY d.workflow) THEN b.score END AS rollback_readiness,
    p.policy_adherence_ratio,
    r.escalation_ratio,
    r.override_ratio,
    r.audit_completeness_ratio,
    coalesce(i.incidents_opened, 0) AS incidents_opened
FROM days AS d
LEFT JOIN run_day AS r USING (date, workflow)
LEFT JOIN policy_day AS p USING (date, workflow)
LEFT JOIN incident_day AS i USING (date, workflow)
LEFT JOIN reuse_daily AS u USING (date, workflow)
LEFT JOIN readiness AS b USING (workflow)
ORDER BY d.date, d.workflow

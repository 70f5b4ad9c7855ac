-- mart: policy_events_hourly
-- group: scorecard
-- What policies decided, under which version, and what became of approvals, by hour. Shadow runs are among them.
-- A version is outdated where the catalog had a later one of the policy in force at that moment.
-- grain: date, hour_at, workflow, environment, team, release, what, name, version, rule, result, standing
-- period: date
-- incremental: date
-- columns:
--   date: Day of the run's start, UTC.
--   hour_at: Hour of the run's start.
--   workflow: The run's workflow.
--   environment: The run's environment; null where it names none.
--   team: The run's team; null where it names none.
--   release: The run's release; null where it names none.
--   what: 'decision' or 'approval'.
--   name: Policy that decided, or tool that the approval is about; null where the trace does not say.
--   version: Version the decision was made under; null for approvals, and where the trace does not say.
--   rule: Rule that decided; null as well.
--   result: Of a decision 'allow', 'deny', 'escalate' or 'redact'; of an approval 'requested', 'granted', 'denied' or 'bypassed'.
--   standing: Of a decision: 'in force', 'outdated', 'unknown version' (the catalog has the policy, not this version), 'unknown policy'
--     (the catalog lacks it) or 'not stated' (no version in the trace); null for approvals.
--   events: Decisions, or steps of an approval.
--   carried_out: Denied actions that were carried out all the same.
--   first_at: Time of the first of them.
--   last_at: Time of the last of them.

WITH dated AS (
    SELECT policy, version, effective_at FROM catalog_policies WHERE effective_at IS NOT NULL
),
declared AS (
    SELECT DISTINCT policy FROM catalog_policies
),
events AS (
    SELECT
        d.run_id,
        d."at",
        'decision' AS what,
        d.policy AS name,
        d.policy_version AS version,
        d.rule,
        d.action AS result,
        CASE
            WHEN c.policy IS NULL THEN 'unknown policy'
            WHEN d.policy_version IS NULL THEN 'not stated'
            WHEN k.version IS NULL THEN 'unknown version'
            WHEN f.effective_at > k.effective_at THEN 'outdated'
            ELSE 'in force'
        END AS standing,
        d.action = 'deny' AND NOT d.enforced AS is_carried_out
    FROM policy_decisions AS d
    ASOF LEFT JOIN dated AS f ON d.policy = f.policy AND d."at" >= f.effective_at
    LEFT JOIN catalog_policies AS k ON k.policy = d.policy AND k.version = d.policy_version
    LEFT JOIN declared AS c ON c.policy = d.policy
    UNION ALL
    SELECT run_id, "at", 'approval', tool_name, NULL, NULL, status, NULL, NULL
    FROM approvals
)
SELECT
    r.started_at::DATE AS date,
    date_trunc('hour', r.started_at) AS hour_at,
    r.workflow,
    r.environment,
    r.team,
    r.release,
    e.what,
    e.name,
    e.version,
    e.rule,
    e.result,
    e.standing,
    count(*) AS events,
    count(*) FILTER (e.is_carried_out) AS carried_out,
    min(e."at") AS first_at,
    max(e."at") AS last_at
FROM events AS e
JOIN runs AS r USING (run_id)
WHERE r.started_at IS NOT NULL
GROUP BY ALL
ORDER BY ALL

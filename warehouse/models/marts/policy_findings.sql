-- mart: policy_findings
-- group: scorecard
-- What runs did against a policy, an approval or the catalog's permission: one row per run and finding.
-- 'carried out despite a deny', 'irreversible without approval' and 'approval bypassed' are the breaches of governance_by_day.
-- grain: run_id, kind, name, detail
-- keys: run_id → runs
-- period: started_at
-- incremental: run_id
-- columns:
--   run_id: Run.
--   workflow: Its workflow.
--   environment: Its environment.
--   team: Its team.
--   release: Its release.
--   started_at: Its start.
--   kind: 'carried out despite a deny', 'irreversible without approval', 'approval bypassed', 'effect not allowed' (by effects_allowed
--     of the catalog; what a policy or a person stopped had none), 'outdated version' or 'unknown version' (of a policy that the
--     catalog has).
--   name: Policy, or tool; null where the trace does not say.
--   detail: Rule that denied, effect, or version; null where there is none.
--   is_breach: Whether it is one of the three kinds of breaches.
--   events: How often in the run.
--   first_at: When first.

WITH dated AS (
    SELECT policy, version, effective_at FROM catalog_policies WHERE effective_at IS NOT NULL
),
declared AS (
    SELECT DISTINCT policy FROM catalog_policies
),
granted AS (
    SELECT DISTINCT run_id, tool_name FROM approvals WHERE status = 'granted'
),
stopped AS (
    SELECT run_id, trace_id, span_id FROM policy_decisions WHERE action = 'deny'
    UNION ALL
    SELECT run_id, trace_id, span_id FROM approvals WHERE status = 'denied'
),
found AS (
    SELECT run_id, "at", 'carried out despite a deny' AS kind, policy AS name, rule AS detail
    FROM policy_decisions
    WHERE action = 'deny' AND NOT enforced
    UNION ALL
    SELECT run_id, started_at, 'irreversible without approval', tool_name, NULL
    FROM tool_calls AS t
    WHERE effect = 'irreversible' AND NOT EXISTS (
        SELECT 1 FROM granted AS g WHERE g.run_id = t.run_id AND (g.tool_name IS NULL OR g.tool_name = t.tool_name)
    )
    UNION ALL
    SELECT run_id, "at", 'approval bypassed', tool_name, NULL
    FROM approvals
    WHERE status = 'bypassed'
    UNION ALL
    SELECT t.run_id, t.started_at, 'effect not allowed', t.tool_name, t.effect
    FROM tool_calls AS t
    JOIN catalog_workflows AS w ON w.workflow = t.workflow AND w.effects_allowed IS NOT NULL
    WHERE t.effect IS NOT NULL AND NOT list_contains(w.effects_allowed, t.effect) AND NOT EXISTS (
        SELECT 1 FROM stopped AS s WHERE s.run_id = t.run_id AND s.trace_id = t.trace_id AND s.span_id = t.span_id
    )
    UNION ALL
    SELECT d.run_id, d."at", 'outdated version', d.policy, d.policy_version
    FROM policy_decisions AS d
    ASOF JOIN dated AS f ON d.policy = f.policy AND d."at" >= f.effective_at
    JOIN catalog_policies AS k ON k.policy = d.policy AND k.version = d.policy_version AND f.effective_at > k.effective_at
    UNION ALL
    SELECT d.run_id, d."at", 'unknown version', d.policy, d.policy_version
    FROM policy_decisions AS d
    JOIN declared AS c ON c.policy = d.policy
    LEFT JOIN catalog_policies AS k ON k.policy = d.policy AND k.version = d.policy_version
    WHERE d.policy_version IS NOT NULL AND k.version IS NULL
)
SELECT
    f.run_id,
    r.workflow,
    r.environment,
    r.team,
    r.release,
    r.started_at,
    f.kind,
    f.name,
    f.detail,
    f.kind IN ('carried out despite a deny', 'irreversible without approval', 'approval bypassed') AS is_breach,
    count(*) AS events,
    min(f."at") AS first_at
FROM found AS f
JOIN runs AS r USING (run_id)
GROUP BY ALL

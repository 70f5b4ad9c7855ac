-- mart: contract_by_day
-- group: scorecard
-- What the runs of a day did for and against the clauses of the reliability contract, of each workflow: all that
-- reliability_contract_daily needs to know of them. Shadow runs are left out.
-- grain: date, workflow
-- period: date
-- incremental: date
-- columns:
--   date: Day of the run's start, UTC.
--   workflow: Workflow.
--   runs: Runs.
--   settled_runs: Those that are not pending.
--   decisions: Policy decisions.
--   unversioned_decisions: Those of a policy in the catalog that do not say under which version they were made.
--   boundary_breaking_runs: Runs in which a denied action was carried out, or a decision was made under a version not in force.
--   nameless_runs: Runs that do not say who asked, or which agent acted.
--   privilege_breaking_runs: Runs with a call whose effect the catalog does not allow the workflow.
--   calls_of_unknown_effect: Tool calls of which neither trace nor catalog tells the effect.
--   untraced_runs: Settled runs that lack a version or a tool call's own span.
--   irreversible_calls: Tool calls that can't be undone.
--   approval_breaking_runs: Runs with an irreversible call without a granted approval, or with an approval bypassed.
--   incomplete_runs: Settled runs whose decision path can't be rebuilt (audit_by_run).
--   settled_usd: Cost of settled runs with a known cost, in US dollars; null when there is none.
--   priced_successes: Settled runs with outcome 'success' and a known cost.
--   unpriced_runs: Runs whose cost is not known.

WITH live AS (
    SELECT r.run_id, r.workflow, r.started_at, r.outcome, r.cost_usd, a.* EXCLUDE (run_id, workflow, started_at)
    FROM runs AS r
    JOIN audit_by_run AS a USING (run_id)
    WHERE r.started_at IS NOT NULL AND r.mode IS DISTINCT FROM 'shadow'
),
decision AS (
    SELECT
        d.run_id,
        count(*) AS decisions,
        count(*) FILTER (d.policy_version IS NULL AND p.version IS NOT NULL) AS unversioned,
        bool_or(coalesce(
            (d.action = 'deny' AND d.enforced IS NOT DISTINCT FROM false)
            OR (d.policy_version IS NOT NULL AND p.version IS NOT NULL AND d.policy_version <> p.version),
            false
        )) AS is_breaking
    FROM policy_decisions AS d
    ASOF LEFT JOIN (SELECT policy, version, effective_at FROM catalog_policies) AS p
        ON p.policy = d.policy AND p.effective_at <= d."at"
    GROUP BY d.run_id
),
call AS (
    SELECT
        t.run_id,
        count(*) FILTER (t.effect = 'irreversible') AS irreversible,
        count(*) FILTER (t.effect IS NULL) AS of_unknown_effect,
        bool_or(coalesce(NOT list_contains(c.effects_allowed, t.effect), false)) AS is_beyond,
        bool_or(t.effect IS NOT DISTINCT FROM 'irreversible' AND NOT EXISTS (
            SELECT 1
            FROM approvals AS g
            WHERE g.run_id = t.run_id AND g.status = 'granted' AND (g.tool_name IS NULL OR g.tool_name = t.tool_name)
        )) AS is_unapproved
    FROM tool_calls AS t
    LEFT JOIN catalog_workflows AS c ON c.workflow = t.workflow
    GROUP BY t.run_id
),
bypass AS (
    SELECT DISTINCT run_id, true AS is_bypassed FROM approvals WHERE status = 'bypassed'
)
SELECT
    r.started_at::DATE AS date,
    r.workflow,
    count(*) AS runs,
    count(*) FILTER (r.is_settled) AS settled_runs,
    coalesce(sum(d.decisions), 0)::BIGINT AS decisions,
    coalesce(sum(d.unversioned), 0)::BIGINT AS unversioned_decisions,
    count(*) FILTER (d.is_breaking) AS boundary_breaking_runs,
    count(*) FILTER (NOT r.has_identity) AS nameless_runs,
    count(*) FILTER (c.is_beyond) AS privilege_breaking_runs,
    coalesce(sum(c.of_unknown_effect), 0)::BIGINT AS calls_of_unknown_effect,
    count(*) FILTER (r.is_settled AND NOT (r.has_versions AND coalesce(r.has_tool_results, true))) AS untraced_runs,
    coalesce(sum(c.irreversible), 0)::BIGINT AS irreversible_calls,
    count(*) FILTER (coalesce(c.is_unapproved, false) OR coalesce(b.is_bypassed, false)) AS approval_breaking_runs,
    count(*) FILTER (r.is_settled AND NOT r.is_complete) AS incomplete_runs,
    sum(r.cost_usd) FILTER (r.is_settled) AS settled_usd,
    count(r.cost_usd) FILTER (r.is_settled AND r.outcome = 'success') AS priced_successes,
    count(*) FILTER (r.cost_usd IS NULL) AS unpriced_runs
FROM live AS r
LEFT JOIN decision AS d USING (run_id)
LEFT JOIN call AS c USING (run_id)
LEFT JOIN bypass AS b USING (run_id)
GROUP BY ALL
ORDER BY ALL

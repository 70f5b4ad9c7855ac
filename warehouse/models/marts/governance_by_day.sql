-- mart: governance_by_day
-- group: scorecard
-- What the runs of a day did under which control, of each workflow: with cost_by_day all that scorecard_daily needs to know of them.
-- grain: date, workflow
-- period: date
-- incremental: date
-- columns:
--   date: Day of the run's start, UTC.
--   workflow: Workflow.
--   runs: All runs.
--   spent_usd: Cost of those with a known cost, pending ones included, in US dollars; null when there is none.
--   actions: Their tool calls.
--   escalations: Settled runs with outcome 'escalated'.
--   overridden_runs: Runs with a decision that a person changed.
--   complete_runs: Settled runs whose decision path can be rebuilt (audit_by_run).
--   decisions: Policy decisions; null without one.
--   allowed_decisions: Those that allowed the action; null without one.
--   breaches: Actions carried out despite a deny, irreversible calls without a granted approval, and approvals bypassed.
--   live_runs: Runs that are no shadow runs.
--   pinned_runs: Those of them that name their release, or both agent and prompt version.
--   judged_runs: Settled live runs whose outcome is known.
--   judged_successes: Those of them with outcome 'success'.

WITH granted AS (
    SELECT DISTINCT run_id, tool_name FROM approvals WHERE status = 'granted'
),
unapproved AS (
    SELECT run_id, count(*) AS breaches
    FROM tool_calls AS t
    WHERE effect = 'irreversible' AND NOT EXISTS (
        SELECT 1 FROM granted AS g WHERE g.run_id = t.run_id AND (g.tool_name IS NULL OR g.tool_name = t.tool_name)
    )
    GROUP BY run_id
),
bypassed AS (
    SELECT run_id, count(*) AS breaches FROM approvals WHERE status = 'bypassed' GROUP BY run_id
),
decided AS (
    SELECT
        run_id,
        count(*) AS decisions,
        count(*) FILTER (action = 'allow') AS allowed,
        count(*) FILTER (action = 'deny' AND NOT enforced) AS breaches
    FROM policy_decisions
    GROUP BY run_id
)
SELECT
    r.started_at::DATE AS date,
    r.workflow,
    count(*) AS runs,
    sum(r.cost_usd) AS spent_usd,
    sum(r.tool_calls)::BIGINT AS actions,
    count(*) FILTER (NOT r.is_pending AND r.outcome = 'escalated') AS escalations,
    count(o.run_id) AS overridden_runs,
    count(*) FILTER (NOT r.is_pending AND a.is_complete) AS complete_runs,
    sum(d.decisions)::BIGINT AS decisions,
    sum(d.allowed)::BIGINT AS allowed_decisions,
    sum(coalesce(u.breaches, 0) + coalesce(y.breaches, 0) + coalesce(d.breaches, 0))::BIGINT AS breaches,
    count(*) FILTER (r.mode IS DISTINCT FROM 'shadow') AS live_runs,
    count(*) FILTER (
        r.mode IS DISTINCT FROM 'shadow'
        AND (r.release IS NOT NULL OR (r.agent_version IS NOT NULL AND r.prompt_version IS NOT NULL))
    ) AS pinned_runs,
    count(r.outcome) FILTER (r.mode IS DISTINCT FROM 'shadow' AND NOT r.is_pending) AS judged_runs,
    count(*) FILTER (
        r.mode IS DISTINCT FROM 'shadow' AND NOT r.is_pending AND r.outcome = 'success'
    ) AS judged_successes
FROM runs AS r
JOIN audit_by_run AS a USING (run_id)
LEFT JOIN (SELECT DISTINCT run_id FROM overrides) AS o USING (run_id)
LEFT JOIN decided AS d USING (run_id)
LEFT JOIN unapproved AS u USING (run_id)
LEFT JOIN bypassed AS y USING (run_id)
WHERE r.started_at IS NOT NULL
GROUP BY ALL
ORDER BY ALL

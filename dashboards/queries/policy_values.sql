-- What policies and approvals said in runs of one workflow around an onset, in buckets: the evidence behind a policy signal.
-- grain: bucket_at
-- $1 workflow, $2 and $3 first and last moment, $4 bucket width in seconds, $5 'denied', 'approval_skipped' or
--   'outdated_policy': the share of runs with a denied action, with a bypassed approval, or with a decision under a version
--   other than the one in force, among runs with such a decision or approval at all.
WITH events AS (
    SELECT run_id, "at", action = 'deny' AS is_hit
    FROM policy_decisions
    WHERE $5::VARCHAR = 'denied'
    UNION ALL
    SELECT run_id, "at", status = 'bypassed'
    FROM approvals
    WHERE $5::VARCHAR = 'approval_skipped'
    UNION ALL
    SELECT d.run_id, d."at", d.policy_version <> p.version
    FROM policy_decisions AS d
    ASOF JOIN catalog_policies AS p ON d.policy = p.policy AND d."at" >= p.effective_at
    WHERE $5::VARCHAR = 'outdated_policy'
)
SELECT
    time_bucket(to_seconds($4::BIGINT), started_at, TIMESTAMP '2000-01-03') AS bucket_at,
    avg(is_hit::INTEGER::DOUBLE) AS value,
    count(*) AS observations
FROM (
    SELECT r.started_at, bool_or(coalesce(e.is_hit, FALSE)) AS is_hit
    FROM events AS e
    JOIN runs AS r USING (run_id)
    WHERE r.workflow = $1::VARCHAR AND r.started_at >= $2 AND r.started_at < $3 AND r.mode IS DISTINCT FROM 'shadow'
    GROUP BY r.run_id, r.started_at
)
GROUP BY 1
ORDER BY 1

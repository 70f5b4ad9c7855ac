-- Policy decisions of the runs that have one.
INSERT INTO policy_decisions BY NAME
SELECT
    run_id AS trace_id, run_id[17:] AS span_id, run_id, started_at AS "at", workflow, 'policy-' || (hash(workflow) % 5) AS policy,
    '2026.1' AS policy_version, 'limit' AS rule, CASE WHEN denied_decisions > 0 THEN 'deny' ELSE 'allow' END AS action,
    TRUE AS enforced
FROM runs
WHERE policy_decisions > 0

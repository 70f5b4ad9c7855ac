-- Runs as a list shows them, with what they have, the newest first.
-- grain: run_id
-- $1 list of run ids; $2, $3 first and last start among them
SELECT
    r.run_id,
    r.workflow,
    r.release,
    r.environment,
    r.agent,
    r.model,
    r.started_at,
    r.duration_ms,
    r.outcome,
    r.is_pending,
    r.steps,
    r.model_calls,
    r.tool_calls,
    r.cost_usd,
    a.is_complete,
    list_concat(
        CASE WHEN i.run_id IS NOT NULL THEN ['incident'] ELSE [] END,
        CASE WHEN r.tool_errors > 0 OR r.failed_model_calls > 0 THEN ['error'] ELSE [] END,
        CASE WHEN r.cost_usd IS NULL THEN ['unpriced'] ELSE [] END,
        CASE WHEN d.run_id IS NOT NULL THEN ['denied'] ELSE [] END,
        CASE WHEN p.run_id IS NOT NULL THEN ['approval'] ELSE [] END,
        CASE WHEN o.run_id IS NOT NULL THEN ['override'] ELSE [] END,
        CASE WHEN NOT a.is_complete THEN ['gap'] ELSE [] END
    ) AS has
FROM runs AS r
LEFT JOIN (
    SELECT run_id, is_complete
    FROM audit_by_run
    WHERE list_contains($1::VARCHAR[], run_id) AND started_at BETWEEN $2::TIMESTAMP AND $3::TIMESTAMP
) AS a USING (run_id)
LEFT JOIN (
    SELECT unnest(run_ids) AS run_id FROM incidents UNION SELECT unnest(run_ids) FROM signals
) AS i USING (run_id)
-- What happened in a run happened after it began: bounds of time let the lake skip files.
LEFT JOIN (
    SELECT DISTINCT run_id
    FROM policy_decisions
    WHERE action = 'deny' AND run_id IN (SELECT unnest($1::VARCHAR[])) AND ("at" >= $2::TIMESTAMP - INTERVAL 1 DAY OR "at" IS NULL)
) AS d USING (run_id)
LEFT JOIN (
    SELECT DISTINCT run_id
    FROM approvals
    WHERE list_contains($1::VARCHAR[], run_id) AND ("at" >= $2::TIMESTAMP - INTERVAL 1 DAY OR "at" IS NULL)
) AS p USING (run_id)
LEFT JOIN (SELECT DISTINCT run_id FROM overrides WHERE list_contains($1::VARCHAR[], run_id)) AS o USING (run_id)
WHERE list_contains($1::VARCHAR[], r.run_id) AND r.started_at BETWEEN $2::TIMESTAMP AND $3::TIMESTAMP
ORDER BY r.started_at DESC, r.run_id DESC

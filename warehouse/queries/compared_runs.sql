-- Runs of one workflow in the groups that are compared, in the order in which they ended.
-- grain: run_id
-- $workflow; $by 'release' or 'mode'; $groups the two values of it. Shadow runs only where the mode is what is compared.
-- A run whose outcome is pending has no success yet; one past its window without an outcome did not succeed.
WITH denied AS (
    SELECT run_id, bool_or(action = 'deny') AS is_denied
    FROM policy_decisions
    WHERE run_id IS NOT NULL
    GROUP BY run_id
),
grouped AS (
    SELECT *, CASE WHEN $by::VARCHAR = 'mode' THEN coalesce(mode, 'live') ELSE release END AS "group"
    FROM runs
    WHERE workflow = $workflow::VARCHAR AND ($by::VARCHAR = 'mode' OR mode IS DISTINCT FROM 'shadow')
)
SELECT
    g."group",
    g.run_id,
    CASE WHEN NOT g.is_pending THEN (g.outcome IS NOT DISTINCT FROM 'success')::INTEGER::DOUBLE END AS success,
    g.cost_usd::DOUBLE AS cost_usd,
    g.duration_ms::DOUBLE AS duration_ms,
    CASE WHEN g.tool_calls > 0 THEN (g.tool_errors > 0)::INTEGER::DOUBLE END AS tool_error,
    d.is_denied::INTEGER::DOUBLE AS denied
FROM grouped AS g
LEFT JOIN denied AS d USING (run_id)
WHERE list_contains($groups::VARCHAR[], g."group")
ORDER BY g.ended_at, g.run_id

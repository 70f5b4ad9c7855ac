-- One run with what an audit asks of it.
-- grain: one row
-- $run: its id.
SELECT
    r.*,
    a.requester,
    a.missing,
    a.is_complete,
    t.of_unknown_effect
FROM runs AS r
JOIN audit_by_run AS a USING (run_id)
LEFT JOIN (
    SELECT run_id, list(DISTINCT tool_name) FILTER (effect IS NULL) AS of_unknown_effect FROM tool_calls GROUP BY run_id
) AS t USING (run_id)
WHERE r.run_id = $run::VARCHAR

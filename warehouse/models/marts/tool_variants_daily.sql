-- mart: tool_variants_daily
-- group: calls
-- With which argument shapes tools were called, and with which errors they failed, by day. Shadow runs are among them.
-- grain: date, workflow, environment, team, release, tool_name, what, variant
-- period: date
-- incremental: date
-- columns:
--   date: Day of the run's start, UTC.
--   workflow: The run's workflow.
--   environment: The run's environment; null where it names none.
--   team: The run's team; null where it names none.
--   release: The run's release; null where it names none.
--   tool_name: Tool called.
--   what: 'arguments' (a shape: argument names and types) or 'error'.
--   variant: Hash of the shape, in hex, or class or code of the error; null for an error that names none.
--   calls: Calls with it.
--   first_at: Start of the first of them.
--   last_at: Start of the last of them.

SELECT
    r.started_at::DATE AS date,
    r.workflow,
    r.environment,
    r.team,
    r.release,
    v.tool_name,
    v.what,
    v.variant,
    count(*) AS calls,
    min(v.started_at) AS first_at,
    max(v.started_at) AS last_at
FROM (
    SELECT run_id, tool_name, started_at, 'arguments' AS what, arguments_shape AS variant
    FROM tool_calls
    WHERE arguments_shape IS NOT NULL
    UNION ALL
    SELECT run_id, tool_name, started_at, 'error', error_type
    FROM tool_calls
    WHERE status = 'error'
) AS v
JOIN runs AS r USING (run_id)
WHERE r.started_at IS NOT NULL AND v.tool_name IS NOT NULL
GROUP BY ALL
ORDER BY ALL

-- mart: repeated_work
-- group: cost
-- What runs did again, and what that cost: calls repeated after an error, and loops. One row per run that repeated anything.
-- grain: run_id
-- period: started_at
-- incremental: run_id
-- keys: run_id → runs
-- Looped: a run that called one tool with one argument shape so many times as the catalog's rule `loop` says (20 by default) loops;
-- all of these calls but the first are looped. A call of unknown argument shape equals no other.
-- Retried: a tool call that began after the run's call of that tool before had ended in an error, unless it is looped; and a model call
-- that ended in an error and was followed by another one of the same model.
-- A tool call costs what the catalog says, and the model call that asked for it: the run's last one that had ended. That one counts where
-- all calls it asked for were repeated.
-- columns:
--   run_id: The run.
--   workflow: Its workflow.
--   started_at: Its start.
--   retried_tool_calls: Tool calls made again after an error.
--   retried_model_calls: Model calls that failed and were made again.
--   looped_tool_calls: Tool calls of loops, the first one left out.
--   retry_cost_usd: Cost of retried calls, in US dollars; null when the run's cost is unknown.
--   loop_cost_usd: Cost of looped calls, in US dollars; null when the run's cost is unknown.

WITH told AS (
    SELECT workflow, (drift ->> '$.rules.loop.calls')::BIGINT AS calls FROM catalog_workflows
),
suspect AS (
    SELECT r.run_id, r.workflow, r.started_at, r.cost_usd, coalesce(t.calls, 20) AS loop_calls
    FROM runs AS r
    LEFT JOIN told AS t USING (workflow)
    WHERE r.tool_errors > 0 OR r.failed_model_calls > 0 OR r.tool_calls >= coalesce(t.calls, 20)
),
tool AS (
    SELECT
        t.run_id,
        t.started_at,
        coalesce(t.cost_usd, 0) AS usd,
        t.arguments_shape IS NOT NULL
            AND count(*) OVER (PARTITION BY t.run_id, t.tool_name, t.arguments_shape) >= s.loop_calls
            AND row_number() OVER (
                PARTITION BY t.run_id, t.tool_name, t.arguments_shape ORDER BY t.started_at, t.span_id, t.position
            ) > 1 AS is_looped,
        coalesce(
            lag(t.status) OVER earlier = 'error'
            AND lag(t.started_at + to_microseconds((t.duration_ms * 1000)::BIGINT)) OVER earlier <= t.started_at,
            false
        ) AS is_again
    FROM tool_calls AS t
    JOIN suspect AS s USING (run_id)
    WINDOW earlier AS (PARTITION BY t.run_id, t.tool_name ORDER BY t.started_at, t.span_id, t.position)
),
repeated AS (
    SELECT *, CASE WHEN is_looped THEN 'loop' WHEN is_again THEN 'retry' END AS why FROM tool
),
model AS (
    SELECT
        m.run_id,
        m.span_id,
        m.started_at + to_microseconds((coalesce(m.duration_ms, 0) * 1000)::BIGINT) AS ended_at,
        coalesce(m.cost_usd, 0) AS usd,
        m.status = 'error' AND lead(m.started_at) OVER (
            PARTITION BY m.run_id, m.request_model ORDER BY m.started_at, m.span_id
        ) >= ended_at AS is_made_again
    FROM model_calls AS m
    JOIN suspect AS s USING (run_id)
),
asked AS (
    SELECT m.run_id, m.span_id, CASE WHEN bool_and(r.why = 'loop') THEN 'loop' WHEN bool_and(r.why IS NOT NULL) THEN 'retry' END AS why
    FROM repeated AS r
    ASOF JOIN model AS m ON r.run_id = m.run_id AND r.started_at >= m.ended_at
    GROUP BY m.run_id, m.span_id
),
counted AS (
    SELECT run_id, why, usd, why = 'retry' AS is_retried, why = 'loop' AS is_looped, false AS is_failed
    FROM repeated
    WHERE why IS NOT NULL
    UNION ALL
    SELECT m.run_id, coalesce(a.why, 'retry'), m.usd, false, false, a.why IS NULL
    FROM model AS m
    LEFT JOIN asked AS a USING (run_id, span_id)
    WHERE a.why IS NOT NULL OR m.is_made_again
)
SELECT
    s.run_id,
    s.workflow,
    s.started_at,
    count(*) FILTER (c.is_retried) AS retried_tool_calls,
    count(*) FILTER (c.is_failed) AS retried_model_calls,
    count(*) FILTER (c.is_looped) AS looped_tool_calls,
    CASE WHEN s.cost_usd IS NOT NULL THEN coalesce(sum(c.usd) FILTER (c.why = 'retry'), 0) END AS retry_cost_usd,
    CASE WHEN s.cost_usd IS NOT NULL THEN coalesce(sum(c.usd) FILTER (c.why = 'loop'), 0) END AS loop_cost_usd
FROM counted AS c
JOIN suspect AS s USING (run_id)
GROUP BY s.run_id, s.workflow, s.started_at, s.cost_usd
ORDER BY s.started_at, s.run_id

-- mart: effects_by_day
-- group: scorecard
-- What the tool calls of a day could do, of each workflow and tool, and how many of them can be taken back. Shadow runs are left out,
-- and calls that undo another one.
-- grain: date, workflow, tool_name, effect
-- period: date
-- incremental: date
-- columns:
--   date: Day of the run's start, UTC.
--   workflow: Workflow.
--   tool_name: Tool called.
--   effect: 'read', 'write' or 'irreversible'; null where neither trace nor catalog tells.
--   calls: Calls.
--   covered_calls: Of writes those whose tool has a compensation in the catalog, or that were compensated within their run; of
--     irreversible calls those in runs with a granted approval of them; 0 of others.

WITH granted AS (
    SELECT DISTINCT run_id, tool_name FROM approvals WHERE status = 'granted'
),
call AS (
    SELECT
        r.started_at::DATE AS date,
        t.workflow,
        t.tool_name,
        t.effect,
        CASE t.effect
            WHEN 'write' THEN t.compensation IS NOT NULL OR t.is_undone
            WHEN 'irreversible' THEN EXISTS (
                SELECT 1
                FROM granted AS g
                WHERE g.run_id = t.run_id AND (g.tool_name IS NULL OR g.tool_name = t.tool_name)
            )
            ELSE false
        END AS is_covered
    FROM tool_calls AS t
    JOIN runs AS r USING (run_id)
    WHERE r.started_at IS NOT NULL
        AND r.mode IS DISTINCT FROM 'shadow'
        AND t.compensates IS NULL
        AND t.tool_name NOT IN (SELECT compensation FROM catalog_tools WHERE compensation IS NOT NULL)
)
SELECT date, workflow, tool_name, effect, count(*) AS calls, count(*) FILTER (is_covered) AS covered_calls
FROM call
GROUP BY ALL
ORDER BY ALL

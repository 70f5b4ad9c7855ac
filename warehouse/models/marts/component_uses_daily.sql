-- mart: component_uses_daily
-- group: reuse
-- How often each component that could be shared was used, by day and workflow: tools, agents, prompts (one use per model call
-- of a run with a prompt version) and policies (one per decision).
-- grain: date, workflow, component_kind, name, version
-- period: date
-- incremental: date
-- columns:
--   date: Day of the run's start, UTC.
--   workflow: The run's workflow.
--   component_kind: 'tool', 'agent', 'prompt' or 'policy'.
--   name: Name of the component; a prompt's is its version text.
--   version: Version, where the trace tells one; null for tools and prompts.
--   invocations: Its uses.

WITH uses AS (
    SELECT run_id, 'tool' AS component_kind, tool_name AS name, NULL::VARCHAR AS version
    FROM tool_calls
    WHERE tool_name IS NOT NULL
    UNION ALL
    SELECT run_id, 'agent', agent, agent_version
    FROM spans
    WHERE kind IN ('run', 'agent') AND agent IS NOT NULL
    UNION ALL
    SELECT s.run_id, 'prompt', coalesce(s.prompt_version, r.prompt_version), NULL
    FROM spans AS s
    JOIN runs AS r USING (run_id)
    WHERE s.kind = 'model' AND coalesce(s.prompt_version, r.prompt_version) IS NOT NULL
    UNION ALL
    SELECT run_id, 'policy', policy, policy_version
    FROM policy_decisions
    WHERE policy IS NOT NULL
)
SELECT
    r.started_at::DATE AS date,
    r.workflow,
    u.component_kind,
    u.name,
    u.version,
    count(*) AS invocations
FROM uses AS u
JOIN runs AS r USING (run_id)
WHERE r.started_at IS NOT NULL
GROUP BY ALL
ORDER BY ALL

-- view: stg_component_uses
-- Every invocation of a component that could be shared, and whether the catalog certifies it: tool calls, agents, prompts
-- (one use per model call of a run with a prompt version), policy decisions.
-- grain: one row per invocation
-- columns:
--   run_started_at: Start of the run that it was in: days count by it, as everywhere, and no span's broken clock makes one.
--   run_id: Run it was in.
--   workflow: The run's workflow.
--   component_kind: 'tool', 'agent', 'prompt' or 'policy'.
--   name: Name of the component; a prompt's is its version text.
--   version: Version, where the trace tells one; null for tools and prompts.
--   is_certified: Whether the catalog certifies this component in this version. A prompt version resolves to the
--     catalog's prompt when it is its name, or its name and version joined by '@', ':', '/' or '-'.

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
),
certified AS (
    SELECT component_kind, name, CASE WHEN component_kind <> 'tool' THEN version END AS version
    FROM catalog_components
    WHERE certified AND component_kind <> 'prompt'
    UNION
    SELECT 'tool', tool_name, NULL FROM catalog_tools WHERE certified
    UNION
    SELECT 'prompt', unnest([name, name || '@' || version, name || ':' || version, name || '/' || version,
        name || '-' || version]), NULL
    FROM catalog_components
    WHERE certified AND component_kind = 'prompt'
)
SELECT
    r.started_at AS run_started_at,
    u.run_id,
    r.workflow,
    u.component_kind,
    u.name,
    u.version,
    EXISTS (
        SELECT 1
        FROM certified AS c
        WHERE c.component_kind = u.component_kind AND c.name = u.name AND (c.version IS NULL OR c.version = u.version)
    ) AS is_certified
FROM uses AS u
JOIN runs AS r USING (run_id)

-- mart: reuse_daily
-- group: reuse
-- Reuse rate: how much of what agents invoke is a certified component that several workflows share.
-- grain: date, workflow
-- period: date
-- The uses themselves: component_uses_daily. Those of a component count as certified where the catalog certifies it in that version;
-- a prompt version resolves to the catalog's prompt when it is its name, or its name and version joined by '@', ':', '/' or '-'.
-- A component is shared from the day on which a second workflow first used it. Which tools are clone candidates, and of what:
-- clone_candidates.
-- columns:
--   date: Day of the run's start, UTC.
--   workflow: Workflow; '(fleet)' for all of them.
--   invocations: Invocations of tools, agents, prompts and policies.
--   certified_shared_invocations: Those of certified components used by two workflows or more by that day.
--   reuse_ratio: certified_shared_invocations ÷ invocations.
--   clone_candidates: Different tools used that day that are clone candidates.

WITH certified AS (
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
),
uses AS (
    SELECT
        u.* REPLACE (coalesce(u.version, '') AS version),
        EXISTS (
            SELECT 1
            FROM certified AS c
            WHERE c.component_kind = u.component_kind AND c.name = u.name AND (c.version IS NULL OR c.version = u.version)
        ) AS is_certified
    FROM component_uses_daily AS u
),
shared AS (
    SELECT component_kind, name, version, list_sort(list(first_date))[2] AS shared_from
    FROM (
        SELECT component_kind, name, version, workflow, min(date) AS first_date
        FROM uses
        WHERE is_certified
        GROUP BY ALL
    )
    GROUP BY ALL
),
daily AS (
    SELECT
        u.date,
        u.workflow,
        u.invocations,
        CASE WHEN u.is_certified AND u.date >= s.shared_from THEN u.invocations ELSE 0 END AS shared_invocations,
        CASE WHEN u.component_kind = 'tool' THEN c.tool_name END AS clone
    FROM uses AS u
    LEFT JOIN shared AS s USING (component_kind, name, version)
    LEFT JOIN clone_candidates AS c ON c.tool_name = u.name AND c.is_candidate
)
SELECT
    date,
    CASE WHEN grouping(workflow) = 1 THEN '(fleet)' ELSE workflow END AS workflow,
    sum(invocations)::BIGINT AS invocations,
    sum(shared_invocations)::BIGINT AS certified_shared_invocations,
    sum(shared_invocations) / sum(invocations) AS reuse_ratio,
    count(DISTINCT clone) AS clone_candidates
FROM daily
GROUP BY GROUPING SETS ((date, workflow), (date))
ORDER BY date, workflow

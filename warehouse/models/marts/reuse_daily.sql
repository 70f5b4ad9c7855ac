-- mart: reuse_daily
-- group: reuse
-- Reuse rate: how much of what agents invoke is a certified component that several workflows share.
-- grain: date, workflow
-- period: date
-- A component is shared from the day on which a second workflow first used it. Clone candidates are tools that no
-- catalog
-- certifies and whose usual arguments have the same shape as those of a tool of another name, anywhere in the fleet.
-- columns:
--   date: Day of the run's start, UTC.
--   workflow: Workflow; '(fleet)' for all of them.
--   invocations: Invocations of tools, agents, prompts and policies.
--   certified_shared_invocations: Those of certified components used by two workflows or more by that day.
--   reuse_ratio: certified_shared_invocations ÷ invocations.
--   clone_candidates: Different tools used that day that are clone candidates.

WITH uses AS (
    SELECT run_started_at::DATE AS date, workflow, component_kind, name, coalesce(version, '') AS version, is_certified,
        count(*) AS invocations
    FROM stg_component_uses
    WHERE run_started_at IS NOT NULL
    GROUP BY ALL
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
usual_shapes AS (
    SELECT tool_name, arguments_shape, bool_or(is_certified) AS is_certified
    FROM tool_calls
    WHERE tool_name IS NOT NULL AND arguments_shape IS NOT NULL
    GROUP BY tool_name, arguments_shape
    QUALIFY row_number() OVER (PARTITION BY tool_name ORDER BY count(*) DESC, arguments_shape) = 1
),
clones AS (
    SELECT tool_name
    FROM usual_shapes
    QUALIFY count(*) OVER (PARTITION BY arguments_shape) > 1 AND NOT is_certified
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
    LEFT JOIN clones AS c ON c.tool_name = u.name
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

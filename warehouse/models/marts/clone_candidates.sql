-- mart: clone_candidates
-- group: reuse
-- Clone candidates: tools of different names whose usual arguments have the same shape: perhaps one tool, built twice.
-- grain: tool_name
-- The usual shape of a tool is that of most of its calls; only shapes that tools of two names or more share are listed. The same
-- shape proves nothing: two lookups by id look alike. Look at what they do before one replaces the other.
-- columns:
--   arguments_shape: Hash of the argument names and types that the tools have in common, in hex.
--   tool_name: The tool.
--   calls: Its calls.
--   workflows: Workflows that call it.
--   is_certified: Whether the catalog certifies it; then it is what the others could be replaced by, and no candidate.
--   is_candidate: Whether it is a clone candidate: shares its shape and is not certified.
--   use_instead: The certified tool of that shape called most, else the tool of that shape called most; null for that one itself.

-- The calls are read once: all else follows from what they add up to by tool, shape and workflow.
WITH calls AS MATERIALIZED (
    SELECT tool_name, arguments_shape, workflow, bool_or(is_certified) AS is_certified, count(*) AS calls
    FROM tool_calls
    WHERE tool_name IS NOT NULL
    GROUP BY tool_name, arguments_shape, workflow
),
usual AS (
    SELECT tool_name, arguments_shape, bool_or(is_certified) AS is_certified
    FROM calls
    WHERE arguments_shape IS NOT NULL
    GROUP BY tool_name, arguments_shape
    QUALIFY row_number() OVER (PARTITION BY tool_name ORDER BY sum(calls) DESC, arguments_shape) = 1
),
called AS (
    SELECT u.*, sum(c.calls)::BIGINT AS calls, count(DISTINCT c.workflow) AS workflows
    FROM usual AS u
    JOIN calls AS c USING (tool_name)
    GROUP BY ALL
),
ranked AS (
    SELECT
        *,
        count(*) OVER same_shape AS tools,
        first_value(tool_name) OVER (
            PARTITION BY arguments_shape ORDER BY is_certified DESC, calls DESC, tool_name
        ) AS best
    FROM called
    WINDOW same_shape AS (PARTITION BY arguments_shape)
)
SELECT
    arguments_shape,
    tool_name,
    calls,
    workflows,
    is_certified,
    NOT is_certified AS is_candidate,
    nullif(best, tool_name) AS use_instead
FROM ranked
WHERE tools > 1
ORDER BY arguments_shape, calls DESC, tool_name

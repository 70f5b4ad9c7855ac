-- view: stg_tool_calls
-- Every call of a tool once: its span, or the model output that asked for it where no span of the tool came.
-- A request is the same call as a span of its run that has its id; the others are told off against the run's remaining
-- spans of that tool, in order of time. A request written down twice (two packages that watch one call) counts once by id.
-- grain: trace_id, span_id, position
-- columns:
--   trace_id: Trace of the call.
--   span_id: Span of the call, or of the model call that asked for it.
--   position: Place in the model's output; null for a span.
--   run_id: Run it was made in.
--   agent: Agent as named on that span.
--   started_at: Start of the tool span, or end of the model call.
--   duration_ms: Duration of the tool span, in milliseconds; null where there is none.
--   tool_name: Tool called.
--   tool_call_id: Id of the call.
--   status: 'ok', 'error' or 'unset'; null where only the request was seen.
--   error_type: Class or code of the error.
--   arguments_shape: Hash of the argument names and types, in hex.
--   tool_effect: 'read', 'write' or 'irreversible', as sent.
--   compensates: Id of the tool call that this one undoes.
--   observed_in: 'tool span' or 'model output'.

WITH tool_span AS (
    SELECT * FROM spans WHERE kind = 'tool'
),
request AS (
    SELECT *
    FROM tool_requests
    QUALIFY tool_call_id IS NULL OR row_number() OVER (
        PARTITION BY run_id, tool_call_id ORDER BY "at", span_id, position
    ) = 1
),
left_over AS (
    SELECT r.*, row_number() OVER (PARTITION BY r.run_id, r.tool_name ORDER BY r."at", r.span_id, r.position) AS number
    FROM request AS r
    WHERE NOT EXISTS (SELECT 1 FROM tool_span AS s WHERE s.run_id = r.run_id AND s.tool_call_id = r.tool_call_id)
),
unclaimed AS (
    SELECT s.run_id, s.tool_name, count(*) AS spans
    FROM tool_span AS s
    WHERE NOT EXISTS (SELECT 1 FROM request AS r WHERE r.run_id = s.run_id AND r.tool_call_id = s.tool_call_id)
    GROUP BY s.run_id, s.tool_name
)
SELECT
    trace_id,
    span_id,
    NULL::INTEGER AS position,
    run_id,
    agent,
    started_at,
    duration_ms,
    tool_name,
    tool_call_id,
    status,
    error_type,
    tool_arguments_shape AS arguments_shape,
    tool_effect,
    compensates,
    'tool span' AS observed_in
FROM tool_span
UNION ALL
SELECT
    l.trace_id,
    l.span_id,
    l.position,
    l.run_id,
    NULL,
    l."at",
    NULL,
    l.tool_name,
    l.tool_call_id,
    NULL,
    NULL,
    l.arguments_shape,
    NULL,
    NULL,
    'model output'
FROM left_over AS l
LEFT JOIN unclaimed AS u USING (run_id, tool_name)
WHERE l.number > coalesce(u.spans, 0)

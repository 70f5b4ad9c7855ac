-- mart: tool_calls
-- group: calls
-- One row per call of a tool, under its run's workflow and versions: its span, or the model output that asked for it where no
-- span of the tool came.
-- grain: trace_id, span_id, position
-- period: started_at
-- incremental: run_id
-- keys: run_id → runs
-- columns:
--   trace_id: Trace of the call.
--   span_id: Span of the call, or of the model call that asked for it.
--   position: Place in the model's output; null for a span.
--   run_id: Run it was made in.
--   workflow: The run's workflow.
--   release: The run's release.
--   agent: Agent that made it, else the run's.
--   environment: The run's environment.
--   started_at: Start of the tool span, or end of the model call that asked.
--   duration_ms: Its duration, in milliseconds; null where only the request was seen.
--   tool_name: Tool called.
--   tool_call_id: Id of the call.
--   status: 'ok', 'error' or 'unset'; null where only the request was seen.
--   error_type: Class or code of the error.
--   arguments_shape: Hash of the argument names and types, in hex.
--   effect: 'read', 'write' or 'irreversible': as sent, else the catalog's.
--   compensates: Id of the tool call that this one undoes.
--   is_undone: Whether another call of its run undid it.
--   undoes_elsewhere: Whether it undoes a call, and none of its run has that id: the call is another run's.
--   compensation: The catalog's tool that undoes this one.
--   is_certified: Whether the catalog certifies the tool as a shared component.
--   observed_in: 'tool span' or 'model output'.
--   cost_usd: The catalog's cost per call, in US dollars; null without one.

WITH certified AS (
    SELECT DISTINCT name AS tool_name FROM catalog_components WHERE component_kind = 'tool' AND certified
),
-- Few: a request in a model's output undoes nothing.
undoing AS MATERIALIZED (
    SELECT DISTINCT run_id, compensates AS tool_call_id FROM spans WHERE kind = 'tool' AND compensates IS NOT NULL
),
undone AS (
    SELECT DISTINCT run_id, tool_call_id FROM stg_tool_calls SEMI JOIN undoing USING (run_id, tool_call_id)
)
SELECT
    s.trace_id,
    s.span_id,
    s.position,
    s.run_id,
    r.workflow,
    r.release,
    coalesce(s.agent, r.agent) AS agent,
    r.environment,
    s.started_at,
    s.duration_ms,
    s.tool_name,
    s.tool_call_id,
    s.status,
    s.error_type,
    s.arguments_shape,
    coalesce(s.tool_effect, c.effect) AS effect,
    s.compensates,
    u.run_id IS NOT NULL AS is_undone,
    s.compensates IS NOT NULL AND o.run_id IS NULL AS undoes_elsewhere,
    c.compensation,
    coalesce(c.certified, false) OR f.tool_name IS NOT NULL AS is_certified,
    s.observed_in,
    c.cost_per_call_usd AS cost_usd
FROM stg_tool_calls AS s
JOIN runs AS r USING (run_id)
LEFT JOIN catalog_tools AS c USING (tool_name)
LEFT JOIN certified AS f USING (tool_name)
LEFT JOIN undone AS u ON u.run_id = s.run_id AND u.tool_call_id = s.tool_call_id
LEFT JOIN undone AS o ON o.run_id = s.run_id AND o.tool_call_id = s.compensates

-- Spans of one run in order of time, each with what it cost: the model call's price, or the catalog's cost of the tool.
-- grain: trace_id, span_id
-- $1 run; $2 rows at most
SELECT
    s.trace_id,
    s.span_id,
    s.parent_span_id,
    s.kind,
    coalesce(CASE s.kind WHEN 'tool' THEN s.tool_name WHEN 'model' THEN coalesce(s.response_model, s.request_model) END, s.name) AS what,
    s.status,
    s.error_type,
    s.started_at,
    s.duration_ms,
    CASE WHEN s.kind = 'model' THEN s.input_tokens END AS input_tokens,
    CASE WHEN s.kind = 'model' THEN s.cached_input_tokens END AS cached_input_tokens,
    CASE WHEN s.kind = 'model' THEN s.output_tokens END AS output_tokens,
    CASE s.kind WHEN 'model' THEN s.cost_usd WHEN 'tool' THEN t.cost_usd END AS cost_usd,
    s.quality_flags,
    s.attributes,
    count(*) OVER () AS spans
FROM spans AS s
LEFT JOIN tool_calls AS t ON t.run_id = s.run_id AND t.trace_id = s.trace_id AND t.span_id = s.span_id AND t.observed_in = 'tool span'
WHERE s.run_id = $1::VARCHAR
ORDER BY s.started_at NULLS LAST, s.span_id
LIMIT $2::INTEGER

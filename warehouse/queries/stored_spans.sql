-- What tells the spans of a batch's keys apart from others with the same ids, for one range of start times.
-- Attributes only where an id was invalid: there they decide.
SELECT
    trace_id,
    span_id,
    name,
    kind,
    started_at,
    ended_at,
    quality_flags,
    CASE WHEN list_has_any(quality_flags, ['invalid_trace_id', 'invalid_span_id']) THEN attributes END AS attributes
FROM spans
SEMI JOIN incoming_keys USING (trace_id, span_id)
WHERE started_at BETWEEN $earliest AND $latest

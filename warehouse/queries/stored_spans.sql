-- What tells the spans of a batch's keys apart from others with the same ids, for one range of start times.
-- Not their attributes, which are most of a span's bytes: see stored_attributes.sql.
SELECT
    trace_id,
    span_id,
    name,
    kind,
    started_at,
    ended_at,
    quality_flags
FROM spans
SEMI JOIN incoming_keys USING (trace_id, span_id)
WHERE started_at BETWEEN $earliest AND $latest

-- The same for spans without a start time.
SELECT DISTINCT trace_id, span_id
FROM spans
SEMI JOIN incoming_keys USING (trace_id, span_id)
WHERE started_at IS NULL

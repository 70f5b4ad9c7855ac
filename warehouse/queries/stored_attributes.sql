-- Attributes of the spans of a batch's keys, for one range of start times: they tell spans apart where an id was invalid.
SELECT trace_id, span_id, attributes
FROM spans
SEMI JOIN incoming_keys USING (trace_id, span_id)
WHERE started_at BETWEEN $earliest AND $latest

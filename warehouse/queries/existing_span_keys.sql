-- Keys of a batch that the table holds already, for one range of start times.
-- The two bounds are constants on purpose: DuckLake then opens only the files whose least and greatest start meet them.
-- A filter with OR over several ranges would open every file, so each range is a query of its own.
SELECT DISTINCT trace_id, span_id
FROM spans
SEMI JOIN incoming_keys USING (trace_id, span_id)
WHERE started_at BETWEEN $earliest AND $latest

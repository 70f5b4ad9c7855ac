-- Old rows for the growth benchmark: the rows of the traffic's first day once more, under other ids and an earlier day.
INSERT INTO spans BY NAME
SELECT * REPLACE (
    md5(trace_id || $copy) AS trace_id,
    left(md5(span_id || $copy), 16) AS span_id,
    left(md5(parent_span_id || $copy), 16) AS parent_span_id,
    md5(run_id || $copy) AS run_id,
    started_at - to_days($days) AS started_at,
    ended_at - to_days($days) AS ended_at,
    'grown' AS topic
)
FROM spans
WHERE topic <> 'grown' AND started_at >= TIMESTAMP '2026-09-01' AND started_at < TIMESTAMP '2026-09-02'

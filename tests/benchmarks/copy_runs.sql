-- The latest runs once more, under other ids and five minutes later: a small change for the refresh benchmark.
-- parameters: $runs: how many
INSERT INTO spans BY NAME
SELECT * REPLACE (
    md5(trace_id || 'few') AS trace_id,
    md5(run_id || 'few') AS run_id,
    started_at + INTERVAL 5 MINUTE AS started_at,
    ended_at + INTERVAL 5 MINUTE AS ended_at,
    'copied' AS topic
)
FROM spans
WHERE topic IS DISTINCT FROM 'copied' AND run_id IN (
    SELECT run_id
    FROM spans
    WHERE topic IS DISTINCT FROM 'copied'
    GROUP BY run_id
    ORDER BY max(started_at) DESC, run_id
    LIMIT $runs
)

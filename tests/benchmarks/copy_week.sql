-- The streamed week some times more, under other ids and on other weeks: for the refresh benchmark. Copies have topic 'copied'.
-- parameters: $first, $last: numbers of the copies, which lie so many weeks earlier; negative ones later
INSERT INTO outcomes BY NAME
SELECT * EXCLUDE (copy) REPLACE (
    md5(trace_id || copy) AS trace_id,
    md5(run_id || copy) AS run_id,
    md5(outcome_id || copy) AS outcome_id,
    "at" - to_days(7 * copy) AS "at",
    'copied' AS topic
)
FROM outcomes, (SELECT unnest(range($first, $last + 1))::INTEGER AS copy)
WHERE topic IS DISTINCT FROM 'copied';

INSERT INTO policy_decisions BY NAME
SELECT * EXCLUDE (copy) REPLACE (
    md5(trace_id || copy) AS trace_id,
    md5(run_id || copy) AS run_id,
    "at" - to_days(7 * copy) AS "at",
    'copied' AS topic
)
FROM policy_decisions, (SELECT unnest(range($first, $last + 1))::INTEGER AS copy)
WHERE topic IS DISTINCT FROM 'copied';

INSERT INTO approvals BY NAME
SELECT * EXCLUDE (copy) REPLACE (
    md5(trace_id || copy) AS trace_id,
    md5(run_id || copy) AS run_id,
    "at" - to_days(7 * copy) AS "at",
    'copied' AS topic
)
FROM approvals, (SELECT unnest(range($first, $last + 1))::INTEGER AS copy)
WHERE topic IS DISTINCT FROM 'copied';

INSERT INTO overrides BY NAME
SELECT * EXCLUDE (copy) REPLACE (
    md5(trace_id || copy) AS trace_id,
    md5(run_id || copy) AS run_id,
    "at" - to_days(7 * copy) AS "at",
    'copied' AS topic
)
FROM overrides, (SELECT unnest(range($first, $last + 1))::INTEGER AS copy)
WHERE topic IS DISTINCT FROM 'copied';

INSERT INTO rollbacks BY NAME
SELECT * EXCLUDE (copy) REPLACE (
    md5(trace_id || copy) AS trace_id,
    md5(run_id || copy) AS run_id,
    "at" - to_days(7 * copy) AS "at",
    completed_at - to_days(7 * copy) AS completed_at,
    'copied' AS topic
)
FROM rollbacks, (SELECT unnest(range($first, $last + 1))::INTEGER AS copy)
WHERE topic IS DISTINCT FROM 'copied';

INSERT INTO spans BY NAME
SELECT * EXCLUDE (copy) REPLACE (
    md5(trace_id || copy) AS trace_id,
    md5(run_id || copy) AS run_id,
    started_at - to_days(7 * copy) AS started_at,
    ended_at - to_days(7 * copy) AS ended_at,
    'copied' AS topic
)
FROM spans, (SELECT unnest(range($first, $last + 1))::INTEGER AS copy)
WHERE topic IS DISTINCT FROM 'copied';

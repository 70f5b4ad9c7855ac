-- The streamed week once more, under other ids and other days: for the refresh benchmark. Rows that are copies have topic 'copied'.
-- parameters: $copy: number of the copy; $days: how many days earlier (later where negative)
INSERT INTO outcomes BY NAME
SELECT * REPLACE (
    md5(trace_id || $copy) AS trace_id,
    md5(run_id || $copy) AS run_id,
    md5(outcome_id || $copy) AS outcome_id,
    "at" - to_days($days) AS "at",
    'copied' AS topic
)
FROM outcomes
WHERE topic IS DISTINCT FROM 'copied';

INSERT INTO policy_decisions BY NAME
SELECT * REPLACE (
    md5(trace_id || $copy) AS trace_id,
    md5(run_id || $copy) AS run_id,
    "at" - to_days($days) AS "at",
    'copied' AS topic
)
FROM policy_decisions
WHERE topic IS DISTINCT FROM 'copied';

INSERT INTO approvals BY NAME
SELECT * REPLACE (
    md5(trace_id || $copy) AS trace_id,
    md5(run_id || $copy) AS run_id,
    "at" - to_days($days) AS "at",
    'copied' AS topic
)
FROM approvals
WHERE topic IS DISTINCT FROM 'copied';

INSERT INTO overrides BY NAME
SELECT * REPLACE (
    md5(trace_id || $copy) AS trace_id,
    md5(run_id || $copy) AS run_id,
    "at" - to_days($days) AS "at",
    'copied' AS topic
)
FROM overrides
WHERE topic IS DISTINCT FROM 'copied';

INSERT INTO rollbacks BY NAME
SELECT * REPLACE (
    md5(trace_id || $copy) AS trace_id,
    md5(run_id || $copy) AS run_id,
    "at" - to_days($days) AS "at",
    completed_at - to_days($days) AS completed_at,
    'copied' AS topic
)
FROM rollbacks
WHERE topic IS DISTINCT FROM 'copied';

INSERT INTO spans BY NAME
SELECT * REPLACE (
    md5(trace_id || $copy) AS trace_id,
    md5(run_id || $copy) AS run_id,
    started_at - to_days($days) AS started_at,
    ended_at - to_days($days) AS ended_at,
    'copied' AS topic
)
FROM spans
WHERE topic IS DISTINCT FROM 'copied';

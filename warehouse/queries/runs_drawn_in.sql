-- Runs that statements draw in without naming them: those that a new statement finds by trace, session or response, and those
-- of a session of which another run changed, because a statement about the session belongs to its latest one.
INSERT INTO temp.main.affected_runs (run_id)
WITH stated AS (
    SELECT trace_id, session_id, response_id
    FROM ducklake_table_changes('lake', 'main', 'outcomes', $since, $now)
    WHERE run_id IS NULL
),
answered AS (
    SELECT run_id
    FROM lake.main.spans
    WHERE (SELECT count(response_id) FROM stated) > 0
        AND kind = 'model'
        AND json_extract_string(attributes, '$."gen_ai.response.id"') IN (SELECT response_id FROM stated)
),
named AS (
    SELECT run_id FROM lake.main.spans WHERE trace_id IN (SELECT trace_id FROM stated)
    UNION
    SELECT run_id FROM answered
),
changed AS (
    SELECT run_id FROM temp.main.affected_runs
    UNION
    SELECT run_id FROM named
),
sessions AS (
    SELECT session_id FROM stated WHERE session_id IS NOT NULL
    UNION
    SELECT session_id
    FROM lake.main.spans
    WHERE session_id IN (SELECT session_id FROM lake.main.outcomes WHERE run_id IS NULL)
        AND run_id IN (SELECT run_id FROM changed)
)
SELECT run_id FROM named
UNION
SELECT run_id FROM lake.main.spans WHERE session_id IN (SELECT session_id FROM sessions)

-- Shadow runs that state what a person decided beside what the agent would have, in order of time.
-- grain: run_id
-- $workflow null for every one. release: the one that ran in shadow; null where the run names none.
WITH decided AS (
    SELECT
        run_id,
        started_at,
        span_id,
        json_extract_string(attributes, '$."plumbline.human.decision"') AS human,
        json_extract_string(attributes, '$."plumbline.agent.decision"') AS agent
    FROM spans
    WHERE mode = 'shadow' AND run_id IN (SELECT run_id FROM runs WHERE mode = 'shadow')  -- where there is none, no span is read
)
SELECT
    r.workflow,
    r.release,
    d.run_id,
    min(d.started_at) AS started_at,
    arg_min(d.human, (d.started_at, d.span_id)) FILTER (d.human IS NOT NULL) AS human,
    arg_min(d.agent, (d.started_at, d.span_id)) FILTER (d.agent IS NOT NULL) AS agent
FROM decided AS d
JOIN runs AS r USING (run_id)
WHERE $workflow::VARCHAR IS NULL OR r.workflow = $workflow::VARCHAR
GROUP BY ALL
ORDER BY started_at, d.run_id

-- Shadow runs of one workflow that state what a person decided beside what the agent would have, in order of time.
-- grain: run_id
WITH decided AS (
    SELECT
        run_id,
        started_at,
        span_id,
        json_extract_string(attributes, '$."plumbline.human.decision"') AS human,
        json_extract_string(attributes, '$."plumbline.agent.decision"') AS agent
    FROM spans
    WHERE mode = 'shadow' AND run_id IN (SELECT run_id FROM runs WHERE workflow = $workflow::VARCHAR)
)
SELECT
    run_id,
    min(started_at) AS started_at,
    arg_min(human, (started_at, span_id)) FILTER (human IS NOT NULL) AS human,
    arg_min(agent, (started_at, span_id)) FILTER (agent IS NOT NULL) AS agent
FROM decided
GROUP BY run_id
ORDER BY started_at, run_id

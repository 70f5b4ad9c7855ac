-- Runs that match a search, the newest first: one page of them, and one more where there are others; how many match in all.
-- grain: run_id
-- $1, $2 start and end of the period; $3 workflow, $4 environment, $5 team, $6 release: null is all
-- $7 beginning of an id of the run, its session or one of its traces; $8 outcome ('pending' is one); $9 model; $10 tool; $11 agent
-- $12, $13 start and id of the last run of the page before, or null; $14 rows of a page
-- runs_marked.sql is the same for a search that asks what runs have, which takes other tables.
WITH matched AS NOT MATERIALIZED (
    SELECT r.run_id, r.started_at
    FROM runs AS r
    WHERE r.started_at >= $1::TIMESTAMP AND r.started_at < $2::TIMESTAMP
        AND ($3::VARCHAR IS NULL OR r.workflow = $3::VARCHAR)
        AND ($4::VARCHAR IS NULL OR r.environment = $4::VARCHAR)
        AND ($5::VARCHAR IS NULL OR r.team = $5::VARCHAR)
        AND ($6::VARCHAR IS NULL OR r.release = $6::VARCHAR)
        AND (
            $7::VARCHAR IS NULL
            OR starts_with(r.run_id, $7::VARCHAR)
            OR starts_with(r.session_id, $7::VARCHAR)
            OR r.run_id IN (SELECT run_id FROM spans WHERE starts_with(trace_id, $7::VARCHAR))
        )
        AND ($8::VARCHAR IS NULL OR CASE WHEN r.is_pending THEN 'pending' ELSE coalesce(r.outcome, 'unknown') END = $8::VARCHAR)
        AND (
            $9::VARCHAR IS NULL
            OR r.run_id IN (
                SELECT run_id FROM model_calls WHERE contains(lower(concat_ws(' ', request_model, response_model)), lower($9::VARCHAR))
            )
        )
        AND ($10::VARCHAR IS NULL OR r.run_id IN (SELECT run_id FROM tool_calls WHERE contains(lower(tool_name), lower($10::VARCHAR))))
        AND ($11::VARCHAR IS NULL OR contains(lower(r.agent), lower($11::VARCHAR)))
)
SELECT run_id, started_at, (SELECT count(*) FROM matched) AS found
FROM matched
WHERE $12::TIMESTAMP IS NULL OR (started_at, run_id) < ($12::TIMESTAMP, $13::VARCHAR)
ORDER BY started_at DESC, run_id DESC
LIMIT $14::INTEGER + 1

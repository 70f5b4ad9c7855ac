-- The newest runs of a period: one page of them, and one more where there are others.
-- grain: run_id
-- $1, $2 start and end of the period; $3 workflow, $4 environment, $5 team, $6 release: null is all
-- $7, $8 start and id of the last run of the page before, or null; $9 rows of a page
SELECT run_id, started_at
FROM runs
WHERE started_at >= $1::TIMESTAMP AND started_at < $2::TIMESTAMP
    AND ($3::VARCHAR IS NULL OR workflow = $3::VARCHAR)
    AND ($4::VARCHAR IS NULL OR environment = $4::VARCHAR)
    AND ($5::VARCHAR IS NULL OR team = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR release = $6::VARCHAR)
    AND ($7::TIMESTAMP IS NULL OR started_at <= $7::TIMESTAMP)
    AND ($7::TIMESTAMP IS NULL OR (started_at, run_id) < ($7::TIMESTAMP, $8::VARCHAR))
ORDER BY started_at DESC, run_id DESC
LIMIT $9::INTEGER + 1

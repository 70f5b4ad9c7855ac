-- Rollback readiness by day: the last row of each day and workflow.
-- grain: workflow, date
-- $1, $2 start and end of the period; $3 workflow or null
SELECT workflow, as_of::DATE AS date, score, weakest_link
FROM rollback_readiness
WHERE as_of::DATE >= $1::DATE AND as_of::DATE <= $2::DATE AND ($3::VARCHAR IS NULL OR workflow = $3::VARCHAR)
QUALIFY row_number() OVER (PARTITION BY workflow, as_of::DATE ORDER BY as_of DESC) = 1
ORDER BY workflow, date

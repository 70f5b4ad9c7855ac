-- Rollback readiness by day.
-- grain: workflow, date
-- $1, $2 start and end of the period; $3 workflow or null
SELECT workflow, date, score, weakest_link
FROM rollback_readiness_daily
WHERE date >= $1::DATE AND date < $2 AND ($3::VARCHAR IS NULL OR workflow = $3::VARCHAR)
ORDER BY workflow, date

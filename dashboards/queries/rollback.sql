-- Rollback readiness per workflow as last measured. score is null when a link can't be proved.
-- grain: workflow
-- $1 workflow or null
SELECT *
FROM rollback_readiness
WHERE $1::VARCHAR IS NULL OR workflow = $1::VARCHAR
QUALIFY row_number() OVER (PARTITION BY workflow ORDER BY as_of DESC) = 1
ORDER BY workflow

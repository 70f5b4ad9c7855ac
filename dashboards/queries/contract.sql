-- The clauses of the reliability contract of each workflow, as of the last refresh.
-- grain: workflow, clause_number
-- $1 workflow or null
SELECT workflow, clause_number, clause, state, detail, to_do
FROM reliability_contract
WHERE $1::VARCHAR IS NULL OR workflow = $1::VARCHAR
ORDER BY workflow, clause_number

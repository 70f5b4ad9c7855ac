-- Figures of the scorecard that a workflow can't give, with what to send or declare.
-- grain: workflow, figure
-- $1 workflow or null
SELECT workflow, figure, lacks, to_do
FROM scorecard_gaps
WHERE $1::VARCHAR IS NULL OR workflow = $1::VARCHAR
ORDER BY workflow, figure

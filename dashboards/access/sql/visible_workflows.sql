-- The workflows of a scope.
-- grain: workflow
-- $1 list of workflows
CREATE OR REPLACE TABLE visible_workflows AS
SELECT unnest($1::VARCHAR[]) AS workflow

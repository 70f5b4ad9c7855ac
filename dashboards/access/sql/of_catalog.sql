-- Workflows that the catalog gives to one of the teams, under the names that they had before as well.
-- grain: workflow
-- $1 list of teams
SELECT DISTINCT unnest(list_prepend(workflow, coalesce(formerly, []))) AS workflow
FROM lake.main.catalog_workflows
WHERE list_contains($1::VARCHAR[], team)

-- Workflows that the catalog gives to no team, more than half of whose runs name one of the teams. A run without a team counts
-- against it: a few runs that name a team, which any sender can do, open nothing.
-- grain: workflow
-- $1 list of teams
SELECT workflow
FROM lake.main.runs
WHERE workflow IS NOT NULL
    AND workflow NOT IN (SELECT workflow FROM lake.main.catalog_workflows WHERE team IS NOT NULL)
GROUP BY workflow
HAVING 2 * count(*) FILTER (list_contains($1::VARCHAR[], team)) > count(*)

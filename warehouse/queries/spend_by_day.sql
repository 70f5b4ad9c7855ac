-- What was spent each day, by workflow, team and cost center, and by all of the fleet: shadow and pending runs included, for they cost too.
-- grain: scope, name, date
-- A day is that of the run's start, UTC. cost_usd: of the runs whose cost is known; priced_runs: those. name is null where runs have
-- no team or cost center. The last day is the one under way.
WITH spent AS (
    SELECT started_at::DATE AS date, workflow, team, cost_center, cost_usd
    FROM runs
    WHERE started_at IS NOT NULL
)
SELECT scope, name, date, sum(cost_usd) AS cost_usd, count(*) AS runs, count(cost_usd) AS priced_runs
FROM (
    SELECT 'workflow' AS scope, workflow AS name, date, cost_usd FROM spent
    UNION ALL
    SELECT 'team', team, date, cost_usd FROM spent
    UNION ALL
    SELECT 'cost_center', cost_center, date, cost_usd FROM spent
    UNION ALL
    SELECT 'fleet', '(fleet)', date, cost_usd FROM spent
)
GROUP BY ALL
ORDER BY ALL

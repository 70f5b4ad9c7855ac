-- The mart scorecard_daily as a scope sees it: its workflows, the rows of its teams, and where it is one team that row for the fleet's.
-- grain: date, workflow, team
WITH own AS (
    SELECT *
    FROM lake.main.scorecard_daily
    WHERE workflow IN (SELECT workflow FROM memory.main.visible_workflows)
        OR (workflow = '(team)' AND team IN (SELECT team FROM memory.main.visible_teams))
)
SELECT * FROM own
UNION ALL BY NAME
SELECT * REPLACE ('(fleet)' AS workflow, NULL::VARCHAR AS team)
FROM own
WHERE workflow = '(team)' AND (SELECT count(*) FROM memory.main.visible_teams) = 1

-- Audit completeness by workflow over the seven days to its latest settled run; with fewer than 20 runs nothing is said.
-- grain: workflow
-- parameters: $least (share of settled runs that should be complete)
WITH settled AS (
    SELECT workflow, started_at, is_complete, missing
    FROM audit_by_run
    WHERE is_settled
    QUALIFY started_at > max(started_at) OVER (PARTITION BY workflow) - INTERVAL 7 DAY
),
counted AS (
    SELECT
        workflow,
        count(*) AS runs,
        avg(is_complete::INTEGER) AS complete_ratio,
        min(started_at) AS first_at,
        max(started_at) AS last_at
    FROM settled
    GROUP BY workflow
),
clause AS (
    SELECT workflow, unnest(missing) AS clause FROM settled WHERE NOT is_complete
)
SELECT
    c.*,
    c.complete_ratio < $least AS is_under,
    (SELECT mode(l.clause) FROM clause AS l WHERE l.workflow = c.workflow) AS most_missing,
    k.team
FROM counted AS c
LEFT JOIN catalog_workflows AS k USING (workflow)
WHERE c.runs >= 20
ORDER BY c.workflow

-- The mart reuse_daily as a scope sees it: its workflows, and these together where the mart has the whole fleet.
-- grain: date, workflow
WITH own AS (
    SELECT *
    FROM lake.main.reuse_daily
    WHERE workflow IN (SELECT workflow FROM memory.main.visible_workflows)
)
SELECT * FROM own
UNION ALL BY NAME
SELECT
    date,
    '(fleet)' AS workflow,
    sum(invocations)::BIGINT AS invocations,
    sum(certified_shared_invocations)::BIGINT AS certified_shared_invocations,
    sum(certified_shared_invocations) / nullif(sum(invocations), 0) AS reuse_ratio
FROM own
GROUP BY date

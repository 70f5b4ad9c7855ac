-- What a workflow's runs can be compared by: its releases and modes, those with most runs first.
-- grain: by, group
SELECT "by", "group", count(*) AS runs
FROM (
    SELECT 'release' AS "by", release AS "group" FROM runs WHERE workflow = $workflow::VARCHAR AND mode IS DISTINCT FROM 'shadow'
    UNION ALL
    SELECT 'mode' AS "by", coalesce(mode, 'live') AS "group" FROM runs WHERE workflow = $workflow::VARCHAR
)
WHERE "group" IS NOT NULL
GROUP BY ALL
ORDER BY "by", runs DESC, "group"

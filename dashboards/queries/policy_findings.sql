-- How often runs did what they should not, per window, kind and name.
-- grain: span, kind, name, detail
-- $1, $2 previous start and end; $3, $4 current start and end; $5 workflow, $6 environment, $7 team, $8 release, or null.
SELECT
    CASE WHEN started_at >= $3 THEN 'current' ELSE 'previous' END AS span,
    kind,
    name,
    detail,
    is_breach,
    count(*) AS runs,
    sum(events)::BIGINT AS events,
    list_sort(list(DISTINCT workflow)) AS workflows,
    max(first_at) AS latest_at
FROM policy_findings
WHERE ((started_at >= $3 AND started_at < $4) OR (started_at >= $1 AND started_at < $2))
    AND ($5::VARCHAR IS NULL OR workflow = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR environment = $6::VARCHAR)
    AND ($7::VARCHAR IS NULL OR team = $7::VARCHAR)
    AND ($8::VARCHAR IS NULL OR release = $8::VARCHAR)
GROUP BY ALL
ORDER BY ALL

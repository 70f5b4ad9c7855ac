-- What was spent in a window, by one tag: pending and shadow runs included, for they cost as well.
-- grain: workflow, tag
-- $1, $2 start and end, whole hours; $3 workflow, $4 environment, $5 team, $6 release, each or null; $7 'workflow', 'team', 'cost_center',
--   'environment', 'release', 'mode' or 'model'. tag is null where runs have none.
SELECT
    workflow,
    CASE $7::VARCHAR
        WHEN 'workflow' THEN workflow
        WHEN 'team' THEN team
        WHEN 'cost_center' THEN cost_center
        WHEN 'environment' THEN environment
        WHEN 'release' THEN release
        WHEN 'mode' THEN mode
        WHEN 'model' THEN model
    END AS tag,
    sum(runs)::BIGINT AS runs,
    sum(costed_runs)::BIGINT AS priced_runs,
    sum(spent_usd) AS cost_usd
FROM runs_hourly
WHERE hour_at >= $1 AND hour_at < $2
    AND ($3::VARCHAR IS NULL OR workflow = $3::VARCHAR)
    AND ($4::VARCHAR IS NULL OR environment = $4::VARCHAR)
    AND ($5::VARCHAR IS NULL OR team = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR release = $6::VARCHAR)
GROUP BY ALL
ORDER BY ALL

-- What was spent each day: pending and shadow runs included, for they cost as well.
-- grain: date
-- $1 workflow, $2 environment, $3 team, $4 release; each or null. spent_usd is null where no cost is known.
SELECT date, sum(runs)::BIGINT AS runs, sum(costed_runs)::BIGINT AS costed_runs, sum(spent_usd) AS spent_usd
FROM runs_hourly
WHERE ($1::VARCHAR IS NULL OR workflow = $1::VARCHAR)
    AND ($2::VARCHAR IS NULL OR environment = $2::VARCHAR)
    AND ($3::VARCHAR IS NULL OR team = $3::VARCHAR)
    AND ($4::VARCHAR IS NULL OR release = $4::VARCHAR)
GROUP BY date
ORDER BY date

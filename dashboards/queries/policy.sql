-- Policy decisions and those that allowed the action, per window, bucket and workflow, by the start of their run.
-- grain: span, bucket_at, workflow
-- $1 … $9 as in cohorts.sql. The workflow and environment are the run's.
SELECT
    CASE WHEN hour_at >= $3 THEN 'current' ELSE 'previous' END AS span,
    time_bucket(to_seconds($7::BIGINT), hour_at, TIMESTAMP '2000-01-03') AS bucket_at,
    workflow,
    sum(decisions)::BIGINT AS decisions,
    sum(allowed_decisions)::BIGINT AS allowed
FROM runs_hourly
WHERE ((hour_at >= $3 AND hour_at < $4) OR (hour_at >= $1 AND hour_at < $2))
    AND ($5::VARCHAR IS NULL OR workflow = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR environment = $6::VARCHAR)
    AND ($8::VARCHAR IS NULL OR team = $8::VARCHAR)
    AND ($9::VARCHAR IS NULL OR release = $9::VARCHAR)
    AND decisions > 0
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3

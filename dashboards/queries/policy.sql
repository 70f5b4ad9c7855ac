-- Policy decisions and those that allowed the action, per window, bucket and workflow.
-- grain: span, bucket_at, workflow
-- $1 … $9 as in cohorts.sql. The workflow and environment are the run's.
SELECT
    CASE WHEN d."at" >= $3 THEN 'current' ELSE 'previous' END AS span,
    time_bucket(to_seconds($7::BIGINT), d."at", TIMESTAMP '2000-01-03') AS bucket_at,
    r.workflow,
    count(*) AS decisions,
    count(*) FILTER (d.action = 'allow') AS allowed
FROM policy_decisions AS d
JOIN runs AS r USING (run_id)
WHERE ((d."at" >= $3 AND d."at" < $4) OR (d."at" >= $1 AND d."at" < $2))
    AND ($5::VARCHAR IS NULL OR r.workflow = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR r.environment = $6::VARCHAR)
    AND ($8::VARCHAR IS NULL OR r.team = $8::VARCHAR)
    AND ($9::VARCHAR IS NULL OR r.release = $9::VARCHAR)
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3

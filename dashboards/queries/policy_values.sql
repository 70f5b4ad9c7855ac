-- Share of policy decisions of one workflow that were denied around an onset, in buckets.
-- grain: bucket_at
-- $1 workflow, $2 and $3 first and last moment, $4 bucket width in seconds
SELECT
    time_bucket(to_seconds($4::BIGINT), "at", TIMESTAMP '2000-01-03') AS bucket_at,
    avg((action = 'deny')::INTEGER::DOUBLE) AS value,
    count(*) AS observations
FROM policy_decisions
WHERE workflow = $1::VARCHAR AND "at" >= $2 AND "at" < $3
GROUP BY 1
ORDER BY 1

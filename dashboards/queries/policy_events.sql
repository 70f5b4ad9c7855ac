-- What policies decided and what became of approvals, per window and bucket.
-- grain: span, bucket_at, workflow, what, name, version, rule, result, standing
-- $1 … $9 as in cohorts.sql; the earlier window ends with the full hour.
SELECT
    CASE WHEN hour_at >= $3 THEN 'current' ELSE 'previous' END AS span,
    time_bucket(to_seconds($7::BIGINT), hour_at, TIMESTAMP '2000-01-03') AS bucket_at,
    workflow,
    what,
    name,
    version,
    rule,
    result,
    standing,
    sum(events)::BIGINT AS events,
    sum(carried_out)::BIGINT AS carried_out,
    min(first_at) AS first_at,
    max(last_at) AS last_at
FROM policy_events_hourly
WHERE ((hour_at >= $3 AND hour_at < $4) OR (hour_at >= $1 AND hour_at < $2))
    AND ($5::VARCHAR IS NULL OR workflow = $5::VARCHAR)
    AND ($6::VARCHAR IS NULL OR environment = $6::VARCHAR)
    AND ($8::VARCHAR IS NULL OR team = $8::VARCHAR)
    AND ($9::VARCHAR IS NULL OR release = $9::VARCHAR)
GROUP BY ALL
ORDER BY ALL

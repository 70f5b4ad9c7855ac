-- Component invocations, and those of certified components that several workflows share.
-- grain: span, bucket_at, workflow ('(fleet)' is the whole fleet)
-- $1, $2 previous start and end; $3, $4 current start and end; $5 workflow or null (then every workflow and the fleet).
SELECT
    CASE WHEN date >= $3::DATE THEN 'current' ELSE 'previous' END AS span,
    date::TIMESTAMP AS bucket_at,
    workflow,
    sum(invocations)::BIGINT AS invocations,
    sum(certified_shared_invocations)::BIGINT AS certified_shared_invocations
FROM reuse_daily
WHERE ((date >= $3::DATE AND date <= $4::DATE) OR (date >= $1::DATE AND date <= $2::DATE AND date < $3::DATE AND $1 < $2))
    AND ($5::VARCHAR IS NULL OR workflow = $5::VARCHAR)
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3

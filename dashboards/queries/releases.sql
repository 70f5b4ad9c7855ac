-- What the runs say of their releases: why there may be nothing to compare. One row.
-- $1 workflow or null. Shadow runs are left out. most_releases: of the workflow that has most.
SELECT
    coalesce(sum(runs), 0)::BIGINT AS runs,
    coalesce(sum(named_runs), 0)::BIGINT AS named_runs,
    coalesce(max(releases), 0)::BIGINT AS most_releases,
    min(release) AS release
FROM (
    SELECT
        workflow,
        count(*) AS runs,
        count(release) AS named_runs,
        count(DISTINCT release) AS releases,
        min(release) AS release
    FROM runs
    WHERE ($1::VARCHAR IS NULL OR workflow = $1::VARCHAR) AND mode IS DISTINCT FROM 'shadow'
    GROUP BY workflow
)

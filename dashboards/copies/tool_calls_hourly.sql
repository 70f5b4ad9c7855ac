-- Mart tool_calls_hourly by parts of days.
-- $1 hour of the day at which a day is parted, 0 to 23
WITH parted AS (
    SELECT
        * REPLACE (date::TIMESTAMP + to_hours(CASE WHEN hour(hour_at) >= $1 THEN $1 ELSE 0 END::INTEGER) AS hour_at)
    FROM tool_calls_hourly
),
timed AS (
    SELECT date, hour_at, workflow, environment, team, release, tool_name, entry.key AS bucket, sum(entry.value)::UBIGINT AS calls
    FROM (SELECT *, unnest(map_entries(durations)) AS entry FROM parted)
    GROUP BY ALL
),
spread AS (
    SELECT
        date, hour_at, workflow, environment, team, release, tool_name,
        map(list(bucket ORDER BY bucket), list(calls ORDER BY bucket)) AS durations
    FROM timed
    GROUP BY ALL
),
summed AS (
    SELECT
        date,
        hour_at,
        workflow,
        environment,
        team,
        release,
        tool_name,
        sum(calls)::BIGINT AS calls,
        sum(runs)::BIGINT AS runs,
        sum(spanned_calls)::BIGINT AS spanned_calls,
        sum(errors)::BIGINT AS errors,
        sum(spanned_calls_squared)::BIGINT AS spanned_calls_squared,
        sum(errors_squared)::BIGINT AS errors_squared,
        sum(errors_by_calls)::BIGINT AS errors_by_calls,
        sum(timed_calls)::BIGINT AS timed_calls,
        sum(duration_ms) AS duration_ms,
        sum(read_calls)::BIGINT AS read_calls,
        sum(write_calls)::BIGINT AS write_calls,
        sum(irreversible_calls)::BIGINT AS irreversible_calls,
        max(last_at) AS last_at
    FROM parted
    GROUP BY ALL
)
SELECT s.*, t.durations
FROM summed AS s
LEFT JOIN spread AS t
    ON s.date = t.date AND s.hour_at = t.hour_at AND s.workflow IS NOT DISTINCT FROM t.workflow
        AND s.environment IS NOT DISTINCT FROM t.environment AND s.team IS NOT DISTINCT FROM t.team
        AND s.release IS NOT DISTINCT FROM t.release AND s.tool_name = t.tool_name

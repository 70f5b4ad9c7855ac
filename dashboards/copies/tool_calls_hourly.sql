-- Mart tool_calls_hourly by parts of days.
-- $1 hour of the day at which a day is parted, 0 to 23
-- The spread of each part is summed under a number: under its seven names that took two thirds longer.
WITH parted AS (
    SELECT
        * REPLACE (date::TIMESTAMP + to_hours(CASE WHEN hour(hour_at) >= $1 THEN $1 ELSE 0 END::INTEGER) AS hour_at)
    FROM tool_calls_hourly
),
summed AS MATERIALIZED (
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
        max(last_at) AS last_at,
        list(durations) AS spreads,
        row_number() OVER () AS part
    FROM parted
    GROUP BY date, hour_at, workflow, environment, team, release, tool_name
),
timed AS (
    SELECT part, entry.key AS bucket, sum(entry.value)::UBIGINT AS calls
    FROM (SELECT part, unnest(map_entries(spread)) AS entry FROM (SELECT part, unnest(spreads) AS spread FROM summed))
    GROUP BY part, bucket
),
spread AS (
    SELECT part, map(list(bucket ORDER BY bucket), list(calls ORDER BY bucket)) AS durations
    FROM timed
    GROUP BY part
)
SELECT s.* EXCLUDE (part, spreads), t.durations
FROM summed AS s
LEFT JOIN spread AS t USING (part)

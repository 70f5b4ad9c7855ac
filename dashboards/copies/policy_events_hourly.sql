-- Mart policy_events_hourly by parts of days.
-- $1 hour of the day at which a day is parted, 0 to 23
SELECT
    date,
    date::TIMESTAMP + to_hours(CASE WHEN hour(hour_at) >= $1 THEN $1 ELSE 0 END::INTEGER) AS hour_at,
    workflow,
    environment,
    team,
    release,
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
GROUP BY ALL

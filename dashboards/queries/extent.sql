-- First and last run start, runs, and what the filters can offer.
-- One row; times in UTC.
SELECT
    min(first_at) AS earliest_at,
    max(last_at) AS latest_at,
    coalesce(sum(runs), 0)::BIGINT AS runs,
    list_sort(list(DISTINCT workflow)) AS workflows,
    list_sort(list(DISTINCT environment) FILTER (environment IS NOT NULL)) AS environments,
    list_sort(list(DISTINCT team) FILTER (team IS NOT NULL)) AS teams,
    list_sort(list(DISTINCT release) FILTER (release IS NOT NULL)) AS releases
FROM runs_hourly
